// Markdown as HTML. What a model writes is never HTML itself, loads nothing and runs nothing: tags stay text, images
// become links, and only http, https and mailto can be linked to.

const md = window.markdownit({ html: false, linkify: true, breaks: true }).disable("image");

md.validateLink = (url) => /^(https?:|mailto:)/i.test(url.trim());

const link = md.renderer.rules.link_open ?? ((tokens, at, options, env, self) => self.renderToken(tokens, at, options));
md.renderer.rules.link_open = (tokens, at, options, env, self) => {
  tokens[at].attrSet("target", "_blank");
  tokens[at].attrSet("rel", "noopener noreferrer");
  return link(tokens, at, options, env, self);
};

// The page's policy forbids style attributes.
for (const rule of ["th_open", "td_open"]) {
  md.renderer.rules[rule] = (tokens, at, options, env, self) => {
    const style = tokens[at].attrGet("style");
    tokens[at].attrs = style ? [["class", style.replace("text-align:", "")]] : null;
    return self.renderToken(tokens, at, options);
  };
}

export function render(text) {
  return md.render(text);
}
