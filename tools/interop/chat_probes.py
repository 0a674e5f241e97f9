"""Conversations and small templates for chat_templates.py."""

WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "What the weather is <like> in a \"city\" \u00e0 c\u00f4t\u00e9.",
    "parameters": {"type": "object", "required": ["city"], "properties": {
        "city": {"type": "string", "description": "Name of the city"},
        "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius"},
        "days": {"type": "integer", "minimum": 1}, "exact": {"type": "boolean", "default": False},
        "where": {"type": "array", "items": {"type": "number"}}}},
    "return": {"type": "object"}}}
CLOCK = {"type": "function", "function": {"name": "clock", "description": "The time.\nNow.",
                                          "parameters": {"type": "object", "properties": {}}}}


def user(text, **more):
    return {"role": "user", "content": text, **more}


def assistant(text, **more):
    return {"role": "assistant", "content": text, **more}


def system(text):
    return {"role": "system", "content": text}


def call(name, arguments, number=1):
    return {"type": "function", "id": f"call{number:05}", "function": {"name": name, "arguments": arguments}}


def tool(text, number=1, name="get_weather"):
    return {"role": "tool", "content": text, "name": name, "tool_call_id": f"call{number:05}"}


CALLED = [user("How is the weather in Paris?"), assistant("", tool_calls=[call("get_weather", {"city": "Paris", "days": 2})]),
          tool('{"sky": "clear", "degrees": 21.5}')]
HARD = "\u201cna\u00efve\u201d \t<|im_end|> \u4f60\u597d \U0001f600 {{ x }} {% if %} </s> 'q' \"d\" \\n &amp; <b>"
CONVERSATIONS = [
    {"messages": [system("Be brief."), user(HARD), assistant("Yes: " + HARD, thinking="Hm."), user(" Again? ")],
     "tools": [WEATHER], "documents": [{"title": "A", "text": "one"}], "variables": {"enable_thinking": False, "n": 3}},
    {"messages": []},
    {"messages": [user("Hi")]},
    {"messages": [user("Hi")], "add_generation_prompt": False},
    {"messages": [user("")]},
    {"messages": [user("  padded \n")]},
    {"messages": [user("line one\nline two\n\nline four")]},
    {"messages": [user(HARD)]},
    {"messages": [system("You are a cat."), user("Hi")]},
    {"messages": [system(""), user("Hi")]},
    {"messages": [system("Only this.")]},
    {"messages": [user("Hi"), assistant("Hello.")], "add_generation_prompt": False},
    {"messages": [user("Hi"), assistant("Hello."), user("Bye")]},
    {"messages": [user("Hi"), assistant(" Hello. \n"), user("Bye"), assistant("Bye.")], "add_generation_prompt": False},
    {"messages": [user("Hi"), user("Are you there?")]},
    {"messages": [assistant("I begin."), user("Fine.")]},
    {"messages": [user("Hi"), system("Late."), user("So?")]},
    {"messages": [{"role": "developer", "content": "Obey."}, user("Hi")]},
    {"messages": [{"role": "critic", "content": "Bad."}, user("Hi")]},
    {"messages": [{"content": "no role"}]},
    {"messages": [{"role": "user"}]},
    {"messages": [user(None)]},
    {"messages": [user([{"type": "text", "text": "In parts, "}, {"type": "text", "text": "two."}])]},
    {"messages": [user([{"type": "image"}, {"type": "text", "text": "What is it?"}])]},
    {"messages": [user("Hi"), assistant("<think>\nHm, who?\n</think>\n\nHello."), user("Bye")]},
    {"messages": [user("Hi"), assistant("<think>open"), user("Bye")]},
    {"messages": [user("Hi"), assistant("Hello.", reasoning_content="They greet."), user("Bye"),
                  assistant("Bye.", reasoning_content="They leave.")], "add_generation_prompt": False},
    {"messages": [user("Think.")], "variables": {"enable_thinking": True}},
    {"messages": [user("Do not.")], "variables": {"enable_thinking": False}},
    {"messages": [system("Talk. /no_think"), user("Do not.")]},
    {"messages": [user("Hi")], "variables": {"reasoning_effort": "high", "xml_tools": ["a"], "date_string": "01 Jan 2026",
                                             "model_identity": "You are new.", "custom_tools": [WEATHER]}},
    {"messages": [user("Weather?")], "tools": [WEATHER]},
    {"messages": [user("Weather?")], "tools": [WEATHER, CLOCK]},
    {"messages": [user("Weather?")], "tools": []},
    {"messages": [user("Weather?")], "tools": [WEATHER["function"]]},
    {"messages": [system("Use tools."), user("Weather?")], "tools": [WEATHER, CLOCK]},
    {"messages": CALLED, "tools": [WEATHER]},
    {"messages": [*CALLED, assistant("It is clear.")], "tools": [WEATHER], "add_generation_prompt": False},
    {"messages": [*CALLED, assistant("It is clear."), user("Thanks.")], "tools": [WEATHER, CLOCK]},
    {"messages": [user("Both?"), assistant("Calling.", tool_calls=[call("get_weather", {"city": "Rome"}), call("clock", {}, 2)]),
                  tool("rain", 1), tool("12:00", 2, "clock")], "tools": [WEATHER, CLOCK]},
    {"messages": [user("As text?"), assistant(None, tool_calls=[call("get_weather", '{"city": "Oslo"}')]), tool("snow")],
     "tools": [WEATHER]},
    {"messages": [user("Again"), assistant(None, tool_calls=[{"function": {"name": "clock", "arguments": {"a": [1, None, True,
                  {"b": "\u00e9"}], "c": 1.0, "d": 1e20, "e": -0.5, "f": 123456789012}}}])], "tools": [CLOCK]},
    {"messages": [user("What?")], "documents": [{"title": "One", "text": "First."}, {"doc_id": 2, "title": "Two", "text": ""}]},
    {"messages": [{"role": "tool", "content": "alone", "tool_call_id": "1"}]},
    {"messages": [user("q%d" % i) if i % 2 == 0 else assistant("a%d" % i) for i in range(21)]},
]

# Each runs over the first conversation.
PROBES = [
    # white space
    "a\n", "a\n\n", "\n  {% if true %}\n  b\n  {% endif %}\nc", "x {% if true -%} \n y {%- endif %} z", "{{ 1 }}\n{{ 2 }}\n",
    "  {%+ if true %}a{% endif %}\n b", "{# c #}\nd\n  {# e #}\nf", "{#- c -#} d", "a {{- 1 -}} b", "{% if true +%}\na{% endif %}",
    "\t{% set a = 1 %}\n\t{{ a }}\n", "{% raw %}{{ a }}{% endraw %}\nb", "  {%- raw -%}  {% x %}  {%- endraw -%}  b", "a\r\nb\rc\n",
    "{% if true %}\n\n  {% endif %}  {% if true %} \n{% endif %}e", "{%- for m in messages %}\n  {{ m.role }}\n{%- endfor %}\n",
    # values and operators
    "{{ 1 + 2 * 3 - 4 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** 3 ** 2 }} {{ -2 ** 2 }} {{ 6 / 3 }}",
    "{{ 1.5 }} {{ 1e3 }} {{ 1e16 }} {{ 1e-5 }} {{ 0.1 + 0.2 }} {{ 100.0 }} {{ 1_000 }} {{ 5 % 2.5 }} {{ 7.5 // 2 }} {{ 3.0e-7 }}",
    "{{ true }} {{ False }} {{ none }} {{ [1, 'a', none, true, 1.0] }} {{ (1,) }} {{ () }} {{ {'a': 1, 2: 'b'} }} {{ [] }}",
    "{{ 'it''s' ~ \"a\\n\\t\\x41\\u00e9\\'\" }} {{ ['it\\'s', \"q\\\"\", 'both\\'\"', '\\n\\u200b\\u00e9'] }}",
    "{{ 1 < 2 < 3 }} {{ 1 < 2 > 3 }} {{ 1 == 1.0 }} {{ true == 1 }} {{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }} {{ 'a' == 1 }} {{ none == x }}",
    "{{ 'a' in 'cat' }} {{ 2 in [1, 2] }} {{ 'k' in {'k': 1} }} {{ 3 not in [1] }} {{ 'a' in x }} {{ not 1 }} {{ 1 and 0 or 'c' }}",
    "{{ 'a' * 3 }} {{ [1] * 2 }} {{ 'a' + 'b' }} {{ [1] + [2] }} {{ (1,) + (2,) }} {{ 1 ~ 'a' ~ none ~ x }} {{ '%s-%d' % ('a', 3) }}",
    "{{ 'yes' if true else 'no' }} {{ 'yes' if false }} {{ 1 if 0 else 2 if 0 else 3 }} {{ (x or 'd') }} {{ -3|abs }} {{ -(3)|abs }}",
    "{{ 1 +}}", "{{ 'a' + 1 }}", "{{ [1] + 'a' }}", "{{ 1 < 'a' }}", "{{ 1 / 0 }}", "{{ x.y }}", "{{ x.y.z }}", "{{ x() }}", "{{ none.a }}", "{{ none.a.b }}",
    "{{ [1,2,3][1:] }} {{ [1,2,3][-1] }} {{ 'abcdef'[1:4] }} {{ 'abc'[::-1] }} {{ [1,2,3,4][::2] }} {{ 'h\u00e9llo'[1] }} {{ [1][5] }} {{ 'abc'[-2:] }}",
    "{{ [1,2,3,4,5][4:1:-1] }} {{ 'abc'[5:] }} {{ (1,2,3)[:2] }} {{ [1,2][none:1] }} {{ messages[1:]|length }} {{ messages[-1]['content'] }}",
    "{{ {'a': {'b': [10, 20]}}.a.b[1] }} {{ {'items': 5}['items'] }} {{ {'a': 1}['b'] }} {{ {'a': 1}.get('b', 7) }} {{ {'a': 1}.get('b') }} {{ [[1, 2]].0.1 }}",
    "{{ {'a': 1, 'b': 2}.items()|list }} {{ {'a': 1}.keys()|list }} {{ {'a': 1}.values()|list }} {{ {'a': 1}|items|list }} {{ {'a': 1}|list }}",
    # statements
    "{% for i in [1,2,3] %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }} {% endfor %}",
    "{% for i in [1,2,3] %}{{ loop.previtem }}|{{ loop.nextitem }}|{{ loop.cycle('a', 'b') }}|{{ loop.changed(i > 1) }} {% endfor %}",
    "{% for i in [] %}a{% else %}none{% endfor %}{% for i in x %}a{% else %}undefined{% endfor %}{% for c in 'ab' %}{{ c }}.{% endfor %}",
    "{% for i in range(10) if i % 2 %}{{ i }}/{{ loop.length }} {% endfor %}{% for i in range(3) %}{% if i == 1 %}{% continue %}{% endif %}{{ i }}{% endfor %}",
    "{% for i in range(10) %}{% if i == 3 %}{% break %}{% endif %}{{ i }}{% endfor %}{% for a, b in [(1, 2), (3, 4)] %}{{ a + b }} {% endfor %}",
    "{% for k, v in {'a': 1, 'b': [2]}.items() %}{{ k }}={{ v }};{% endfor %}", "{% for i in none %}{% endfor %}",
    "{% for n in [{'v': 1, 'c': [{'v': 2, 'c': []}]}] recursive %}{{ n.v }}{{ loop.depth }}({{ loop(n.c) }}){% endfor %}",
    "{% set a = 1 %}{% for i in [1] %}{% set a = 2 %}{{ a }}{% endfor %}{{ a }}{% set ns = namespace(a=1, b='x') %}{% for i in [1, 2] %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}{{ ns.b }}{{ ns.c }}",
    "{% if x %}a{% elif x is defined %}b{% elif messages %}c{% else %}d{% endif %}{% if x is not defined %}{% set y = 5 %}{% endif %}{{ y }}",
    "{% set t %}a {{ 1 + 1 }}\n{% endset %}[{{ t }}]{% set u | upper %}abc{% endset %}{{ u }}{% set a, b = (1, 2) %}{{ a }}{{ b }}{% set d = 1, 2 %}{{ d }}",
    "{% macro m(a, b=2, c='x') %}{{ a }}-{{ b }}-{{ c }};{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(c=4, a=5) }}{{ m() }}{% set z = m(7) %}{{ z|upper }}",
    "{% macro r(n) %}{{ n }}{% if n > 0 %}{{ r(n - 1) }}{% endif %}{% endmacro %}{{ r(3) }}{% macro v() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ v(1, 2, k=3) }}",
    "{% macro w() %}[{{ caller() }}]{% endmacro %}{% call w() %}in{% endcall %}{% macro q() %}{{ caller(1, 2) }}{% endmacro %}{% call(a, b) q() %}{{ a + b }}{% endcall %}",
    "{% set g = 'out' %}{% macro m() %}{{ g }}{% endmacro %}{% set g = 'late' %}{{ m() }}{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a }}{% filter upper %}abc{{ 1 }}{% endfilter %}",
    "{% for i in [1, 2] %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}{% set ns = namespace() %}{% set ns.x = [] %}{{ ns.x }}", "{% set q.x = 1 %}",
    "{% for m in messages %}{% generation %}{{ m.role }}{% endgeneration %}|{% endfor %}", "a{% generation %}{% set z = 1 %}\n  b\n{% endgeneration %}{{ z }}",
    "{% endif %}", "{% for a in b %}", "{% unknown %}", "{{ a", "{% if %}{% endif %}", "{{ }}", "{% set 1 = 2 %}", "{% break %}", "{{ a b }}", "{{ (1 }}", "{# open", "{{ '", "{{ a.1b }}",
    "{{ raise_exception('no') }}", "{% if messages[0].role != 'user' %}{{ raise_exception('First must be a user') }}{% endif %}", "{{ strftime_now('%Y')|length }}",
    "{{ messages.append(1) }}", "{{ x|nothing }}", "{{ x is nothing }}", "{{ 'a' is defined is defined }}", "{% if false %}{{ x.y.z }}{% endif %}ok",
    # filters
    "{{ ' a b '|trim }}|{{ 'xxaxx'|trim('x') }}|{{ 'AbC'|lower }}{{ 'AbC'|upper }}{{ 'hello wORLD-x (y'|title }}|{{ 'hELLO x'|capitalize }}|{{ none|upper }}",
    "{{ messages|tojson }}", "{{ tools|tojson(indent=2) }}", "{{ {'b': 1, 'a': [], 'c': {}}|tojson(sort_keys=true) }} {{ 'h\u00e9\\n\\x7f\\x01'|tojson }} {{ 'h\u00e9\U0001f600'|tojson(ensure_ascii=true) }}",
    "{{ [1, 2.0, none, true, 'a\"b']|tojson(separators=(',', ':')) }}", "{{ x|tojson }}", "{{ {'a': [1, {'b': 2}]}|tojson(indent=4) }} {{ {1: 2, none: 3, true: 4}|tojson }} {{ (1, 2)|tojson }} {{ 1e100|tojson }}",
    "{{ [1,2]|join }}|{{ ['a','b']|join(', ') }}|{{ messages|map(attribute='role')|join(' ') }}|{{ 'abc'|join('-') }}|{{ messages|join(',', attribute='role') }}|{{ x|join }}",
    "{{ messages|selectattr('role', 'equalto', 'user')|list|length }} {{ messages|rejectattr('role', 'eq', 'user')|map(attribute='role')|list }} {{ messages|selectattr('thinking')|list|length }}",
    "{{ messages|selectattr('thinking', 'defined')|list|length }} {{ [1,2,3]|select('odd')|list }} {{ [0,1]|select|list }} {{ [1,none]|reject('none')|list }} {{ ['a','b']|map('upper')|list }}",
    "{{ messages|map(attribute='missing', default='?')|list }} {{ ['a']|map('replace', 'a', 'b')|list }} {{ [[1,2],[3]]|map('length')|list }} {{ [' a ']|map('trim')|first }}",
    "{{ x|default('d') }} {{ ''|default('d') }}| {{ ''|default('d', true) }} {{ none|default('d') }} {{ x.a|default('e') if x }} {{ x|d }}| {{ messages[0].nope|default('n') }}",
    "{{ 'aXbXc'|replace('X', '-') }} {{ 'aXbXc'|replace('X', '-', 1) }} {{ 'abc'|replace('', '.') }} {{ 12|replace('1', 'x') }} {{ 'abc'|length }} {{ 'h\u00e9'|length }} {{ {'a': 1}|length }} {{ x|length }}",
    "{{ [3,1,2]|sort }} {{ [3,1,2]|sort(reverse=true) }} {{ ['b','A','c']|sort }} {{ ['b','A','c']|sort(case_sensitive=true) }} {{ [{'a': 2}, {'a': 1}]|sort(attribute='a') }} {{ {'b': 1, 'a': 2}|dictsort }}",
    "{{ {'b': 1, 'a': 2}|dictsort(by='value') }} {{ [1,1,2]|unique|list }} {{ ['a','A']|unique|list }} {{ [1,2,3]|sum }} {{ [{'n': 2}]|sum(attribute='n') }} {{ [3,1]|min }} {{ [3,1]|max }} {{ []|max }}",
    "{{ [1,2,3]|first }} {{ [1,2,3]|last }} {{ []|first }} {{ 'abc'|last }} {{ [1,2,3]|reverse|list }} {{ 'abc'|reverse }} {{ 'abc'|list }} {{ range(5)|list }} {{ range(2, 8, 3)|list }} {{ range(3, 0, -1)|list }}",
    "{{ '3'|int + 1 }} {{ 'x'|int }} {{ 'x'|int(5) }} {{ '2.7'|int }} {{ 3.9|int }} {{ 'ff'|int(0, 16) }} {{ '1.5'|float }} {{ 'y'|float }} {{ 2.5|round }} {{ 3.14159|round(2) }} {{ 2.1|round(0, 'ceil') }} {{ none|int }}",
    "{{ 'a\nb\n\nc'|indent }}|{{ 'a\nb'|indent(2, true) }}|{{ 'a\n\nb'|indent(2, blank=true) }}|{{ 'a\nb'|indent('> ') }}|{{ ''|indent }}|{{ 'a\n'|indent(1, first=true) }}",
    "{{ '<a href=\"x\">\\'&'|escape }} {{ '<b>'|e }} {{ '<b>'|safe }} {{ 'a b/c?\u00e9'|urlencode }} {{ 'one two three'|wordcount }} {{ 'x'|center(5) }}| {{ '%s:%s'|format(1, 'b') }} {{ 5|string + 'a' }}",
    "{{ 'a long text that goes on'|truncate(10) }} {{ 'a long text'|truncate(9, true, '..', 0) }} {{ [1,2,3,4,5]|batch(2)|list }} {{ [1,2,3]|batch(2, 0)|list }} {{ [1,2,3,4,5]|slice(2)|list }} {{ [1,2,3]|slice(2, 'x')|list }}",
    "{{ [{'c': 'x', 'n': 1}, {'c': 'y', 'n': 2}, {'c': 'x', 'n': 3}]|groupby('c') }} {% for g, l in messages|groupby('role') %}{{ g }}{{ l|length }} {% endfor %}",
    "{{ none|map('upper')|list }}{{ none|selectattr('a')|list|length }}{{ none|reject('odd')|list }}", "{{ none|list }}",
    # tests
    "{{ 1 is odd }} {{ 2 is even }} {{ 9 is divisibleby 3 }} {{ 9 is divisibleby(3) }} {{ x is defined }} {{ x is undefined }} {{ none is none }} {{ 1 is not none }} {{ true is boolean }} {{ 1 is true }} {{ false is false }}",
    "{{ 1 is integer }} {{ true is integer }} {{ 1.0 is float }} {{ 1 is number }} {{ true is number }} {{ 'a' is string }} {{ {} is mapping }} {{ [] is sequence }} {{ 'a' is sequence }} {{ {} is iterable }} {{ 1 is iterable }} {{ none is iterable }} {{ x is iterable }} {{ 1 is sequence }}",
    "{{ 'a' is in ['a'] }} {{ 1 is eq 1 }} {{ 1 is ne 2 }} {{ 1 is lt 2 }} {{ 2 is ge(2) }} {{ 'abc' is lower }} {{ 'ABC' is upper }} {{ '1' is lower }} {{ raise_exception is callable }} {{ 1 is callable }} {{ 'upper' is filter }} {{ 'odd' is test }} {{ none is sameas none }}",
    "{{ messages[0].role is equalto 'system' }} {{ messages is string }} {{ messages[0] is mapping and messages is not string }} {{ not x is defined }} {{ 'a' is string and 'b' is string or 1 }}",
    # methods
    "{{ ' a '.strip() }}|{{ 'xax'.strip('x') }}|{{ ' a '.lstrip() }}|{{ ' a '.rstrip() }}|{{ 'a,b,,c'.split(',') }} {{ ' a  b '.split() }} {{ 'a,b,c'.split(',', 1) }} {{ 'a b c'.rsplit(' ', 1) }} {{ ' a b  c '.split(none, 1) }}",
    "{{ 'abc'.startswith('ab') }} {{ 'abc'.endswith(('x', 'c')) }} {{ 'abc'.startswith('b', 1) }} {{ 'abcabc'.find('c') }} {{ 'abcabc'.rfind('c') }} {{ 'abc'.find('x') }} {{ 'abcabc'.count('bc') }} {{ 'h\u00e9h\u00e9'.find('\u00e9', 2) }} {{ 'abc'.index('b') }}",
    "{{ 'aXbX'.replace('X', 'y') }} {{ 'aXbX'.replace('X', 'y', 1) }} {{ 'abc'.upper() }} {{ 'ABC'.lower() }} {{ 'hello world'.title() }} {{ 'hello World'.capitalize() }} {{ ','.join(['a', 'b']) }} {{ '{} {}'.format(1, 'b') }} {{ '{a}{{}}'.format(a=3) }}",
    "{{ 'abc'.removeprefix('a') }} {{ 'abc'.removesuffix('c') }} {{ 'a\nb\r\nc'.splitlines() }} {{ 'a=b=c'.partition('=') }} {{ 'a=b=c'.rpartition('=') }} {{ 'ab'.partition('=') }} {{ 'a'.ljust(3) }}| {{ 'a'.rjust(3, '.') }}",
    "{{ '12'.isdigit() }} {{ 'a1'.isalnum() }} {{ 'ab'.isalpha() }} {{ ' '.isspace() }} {{ ''.isdigit() }} {{ 'Ab'.isupper() }} {{ 'ab'.islower() }} {{ 'STRASSE \u00c4'.lower() }} {{ '\u00e4\u00f6\u03c3'.upper() }} {{ '\u00a0a\u2003'.strip() }}",
    "{% set m = dict(messages[0], content=(messages[0].content|trim)) %}[{{ m.role }}]{{ m.content }}{{ m|length == messages[0]|length }}",
    "{{ dict({'a': 1, 'b': 3}, a=2) }} {{ dict([('a', 1), ('a', 2)]) }} {{ dict({1: 2}, a=1) }}", "{{ namespace({'a': 1}, a=2).a }}",
    "{{ 'a'.nope }} {{ 'a'.nope() }}", "{{ [1, 2, 1].count(1) }} {{ [1, 2].index(2) }}", "{{ [1].index(5) }}", "{{ dict(a=1, b='x') }} {{ dict([('a', 1)]).a }} {{ dict({'a': 1}, b=2) }} {{ messages[0].keys()|list }} {% set j = joiner('; ') %}{{ j() }}a{{ j() }}b",
    # what real templates do
    "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ 'odd ' }}{% endif %}{{ message['role'] + '\\n' + message['content'] | trim + eos_token }}{% endfor %}{% if add_generation_prompt %}{{ 'assistant' }}{% endif %}",
    "{%- if messages[0]['role'] == 'system' %}\n  {%- set system_message = messages[0]['content'] %}\n  {%- set loop_messages = messages[1:] %}\n{%- else %}\n  {%- set loop_messages = messages %}\n{%- endif %}\n{%- for message in loop_messages %}\n  {{- message.role ~ ': ' ~ message.content }}\n{%- endfor %}\n[{{ system_message }}]",
    "{%- set ns = namespace(multi_step_tool=true, last=messages|length - 1) %}{%- for message in messages[::-1] %}{%- set index = (messages|length - 1) - loop.index0 %}{%- if ns.multi_step_tool and message.role == 'user' and message.content is string %}{%- set ns.multi_step_tool = false %}{%- set ns.last = index %}{%- endif %}{%- endfor %}{{ ns.last }}",
    "{% for message in messages %}{% if '</think>' in message.content %}{{ message.content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') }}{% else %}{{ message.content.split('</think>')[-1].lstrip('\\n') }}{% endif %}{% endfor %}",
    "{%- for tool in tools %}{%- set f = tool.function %}{{ f.name }}({%- for name, p in f.parameters.properties.items() %}{{ name }}{{ '?' if name not in f.parameters.required }}: {{ p.type }}{{ ', ' if not loop.last }}{%- endfor %}){% endfor %}",
    "{% macro kind(p) %}{%- if p.type == 'array' %}list[{{ kind(p['items']) }}]{%- elif p.enum is defined %}{{ p.enum|join('|') }}{%- elif p.type in ['integer', 'number'] %}number{%- else %}{{ p.type }}{%- endif %}{% endmacro %}{% for n, p in tools[0].function.parameters.properties.items() %}{{ n }}={{ kind(p) }} {% endfor %}",
    "{{ tools|map(attribute='function.name')|join(',') }} {{ documents|map(attribute='title')|list }} {{ enable_thinking is defined and enable_thinking is false }} {{ n + 1 }} {{ pad_token }}{{ sep_token }} {{ messages|last|tojson }}",
]
