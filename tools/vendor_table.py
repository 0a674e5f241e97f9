"""Tabulates reports of `vkgpt kernels --stats --json` (see vendor_check.sh): one Markdown table for each device,
a row for each distinct pipeline. Exits with 1 when a pipeline that a device has by default spills registers, uses
scratch memory or makes f16 of f32 by rounding toward zero, or one for matrices has no matrix instructions, and with 2 when a report is not what it should be."""

import argparse
import json
import pathlib
import re
import sys

MATRIX_INSTRUCTION = re.compile(r"\bv_wmma\w*|\bdpas\w*|\bhmma\b", re.IGNORECASE)
# AMD's v_cvt_pk_rtz_f16_f32 (before RDNA 3 v_cvt_pkrtz_f16_f32), NVIDIA's F2FP and F2F with the modifier RZ.
ROUNDING_TO_ZERO = re.compile(r"v_cvt_pk_?rtz_f16_f32|f2fp[.\w]*\.rz\b|f2f\.f16\.f32[.\w]*\.rz\b")
# Mesa's bit of a shader whose every conversion to f16 rounds toward zero, whatever the instructions say.
EXECUTION_MODE = re.compile(r"float_controls_execution_mode: (0x[0-9a-f]+)")
RTZ_FP16 = 1 << 18
MATRIX_BACKENDS = ("_khr", "_nv")
LONG_NAMES = ("gemma", "muon", "medium", "broad", "q8_0", "q4_0", "nf4")  # of configurations; the others go by their first letter
ON_REQUEST = {"a16"}  # configurations that a device has when a user says so only
COLUMNS = [("registers", "registers"), ("spills", "spills"), ("scratch_bytes", "scratch"), ("shared_bytes", "shared"),
           ("occupancy", "occupancy"), ("instructions", "instructions"), ("matrix_instructions", "matrix instructions"), ("cycles", "cycles"),
           ("inverse_throughput", "inv. throughput")]
NOTES = """
- registers: AMD VGPRs and NVIDIA GPRs of an invocation; Intel the most registers alive at once, in units of 32 bytes for
  the whole subgroup, of which a thread has 128 (256 on bmg).
- spills: AMD registers, Intel instructions, NVIDIA values; scratch: bytes (NVIDIA: of local memory an invocation);
  shared: bytes of a workgroup, which NVK does not report.
- occupancy: subgroups that a SIMD unit of AMD's holds as far as registers and shared memory allow. RADV counts one of
  64 lanes twice: 16 of 32 lanes or 32 of 64 are full. NVIDIA: warps that an SM holds. Intel's driver does not report it.
- matrix instructions: of them, those that multiply matrices (AMD v_wmma, Intel dpas, NVIDIA HMMA), by the driver's own
  listing.
- cycles: the compiler's estimate of one subgroup's latency, with loops weighted by a guess. To be compared between
  versions of a kernel on one device, not between kernels.
- in: the configurations that have the pipeline, g = gpt2, s = smollm2-135m, l = llama-tiny, m = gpt2 with
  products on matrices where the device would not choose them, w = gpt2 with six heads of 128 on three of
  keys and values, gemma = a model of Gemma 3's shape with heads of 256, o = eight heads of 80 with windows on packed
  documents, p = gpt2 on packed documents, decoding in f16, d = gpt2 with dropout and a soft cap, a = gpt2 with
  attention on matrices where the device has it on request only, muon = gpt2 with Muon, averaged weights, parallel
  blocks and adapters to choose from, medium = rows of 1024, preference pairs, 8-bit AdamW on two ranks, broad = rows of
  2048, Lion, activations put aside, and adapters on smollm2-135m in q8_0, q4_0 or nf4;
  32 and 16 = fp32 and fp16. Bold: not as it should be; italic: likewise, but on request only.
"""


class BadReport(Exception):
    """A report that cannot be what a vendor's driver said."""


def read_report(path):
    """(device name of the file, short name of the configuration, the report)."""
    device, rest = path.stem.split("-", 1)
    preset, dtype = rest.rsplit("-", 1)
    try:
        report = json.loads(path.read_text())
    except ValueError as error:
        raise BadReport(f"{path.name} is not JSON: {error}") from error
    if not report["device"]["pipeline_statistics"]:
        raise BadReport(f"{path.name}: {report['device']['driver']} reports no statistics")
    if not report["kernels"]:
        raise BadReport(f"{path.name} has no kernels")
    for kernel in report["kernels"]:
        for executable in kernel["executables"] or [{"figures": {"spills": None}}]:
            if executable["figures"]["spills"] is None:
                raise BadReport(f"{path.name}: nothing is known of {kernel['kernel']}")
    name = f"{preset}/" if preset in LONG_NAMES else preset[0]
    return device, name + dtype[2:], report


def count_matrix_instructions(path, index, kernel, executable):
    """Of the last listing of an executable, which is the driver's final code (`vkgpt kernels --text_dir`)."""
    stem = f"{index:03}-{kernel}-{executable}-"
    texts = sorted(path.with_suffix(".texts").glob(stem + "*.txt"))
    if not texts:
        raise BadReport(f"{path.name}: there is no listing {stem}*.txt")
    return len(MATRIX_INSTRUCTION.findall(texts[-1].read_text(errors="replace")))


def rounds_to_zero(text):
    """Whether a listing makes f16 of f32 by rounding toward zero, where vkgpt rounds to the nearest."""
    return bool(ROUNDING_TO_ZERO.search(text) or any(int(mode, 16) & RTZ_FP16 for mode in EXECUTION_MODE.findall(text)))


def any_rounds_to_zero(path, index, kernel, executable):
    """Of all listings of an executable, from the driver's first form of it to its final code; False without listings."""
    texts = path.with_suffix(".texts").glob(f"{index:03}-{kernel}-{executable}-*.txt")
    return any(rounds_to_zero(text.read_text(errors="replace")) for text in texts)


def is_bad(kernel, figures):
    """Spills, scratch memory, f16 rounded toward zero, or a kernel on matrices that the compiler made of other
    instructions."""
    return bool(figures["spills"] or figures["scratch_bytes"] or figures["rounds_to_zero"] or
                (kernel.endswith(MATRIX_BACKENDS) and not figures["matrix_instructions"]))


def collect(paths):
    """{device: {"caps": ..., "rows": {(kernel, variant, lanes): {"figures": ..., "in": [...]}}}}."""
    devices = {}
    for path in paths:
        name, configuration, report = read_report(path)
        device = devices.setdefault(name, {"caps": report["device"], "rows": {}})
        if device["caps"]["driver"] != report["device"]["driver"]:
            raise BadReport(f"{path.name}: another driver than the other reports of {name}")
        for index, kernel in enumerate(report["kernels"]):
            for number, executable in enumerate(kernel["executables"]):
                figures = executable["figures"]
                figures["matrix_instructions"] = None
                if kernel["kernel"].endswith(MATRIX_BACKENDS):
                    figures["matrix_instructions"] = count_matrix_instructions(path, index, kernel["kernel"], number)
                figures["rounds_to_zero"] = any_rounds_to_zero(path, index, kernel["kernel"], number)
                key = (kernel["kernel"], kernel["variant"], executable["subgroup_size"])
                row = device["rows"].setdefault(key, {"figures": figures, "in": []})
                row["figures"]["rounds_to_zero"] |= figures["rounds_to_zero"]
                row["in"].append(configuration)
    return devices


def is_default(row):
    return not ON_REQUEST.issuperset(row["in"])


def markdown_row(cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |\n"


def summary_table(devices):
    text = markdown_row(["device", "driver's name", "pipelines", "defaults not as they should be", "lowest occupancy"])
    text += markdown_row(["---"] * 5)
    for name, device in devices.items():
        rows = device["rows"].items()
        bad = sum(is_bad(key[0], row["figures"]) and is_default(row) for key, row in rows)
        lowest = min(((row["figures"]["occupancy"], key[0]) for key, row in rows
                      if row["figures"]["occupancy"] is not None), default=None)
        text += markdown_row([name, device["caps"]["name"], len(rows), bad,
                              f"{lowest[0]} ({lowest[1]})" if lowest else "not reported"])
    return text


def device_table(name, device):
    caps = device["caps"]
    shapes = ", ".join(f"{s['m']}x{s['n']}x{s['k']} {s['ab_type']} -> {s['result_type']}"
                       for s in caps["cooperative_matrices"]) or "none"
    text = f"\n## {name}: {caps['name']}\n\n"
    text += (f"{caps['driver']}; subgroups of {caps['min_subgroup_size']} to {caps['max_subgroup_size']}, "
             f"{caps['shared_memory_bytes'] // 1024} KiB shared memory; cooperative matrices: {shapes}.\n\n")
    columns = [column for column in COLUMNS
               if any(row["figures"][column[0]] is not None for row in device["rows"].values())]
    text += markdown_row(["kernel", "lanes"] + [title for _, title in columns] + ["in", "variant"])
    text += markdown_row(["---"] * (len(columns) + 4))
    for (kernel, variant, lanes), row in sorted(device["rows"].items()):
        mark = "" if not is_bad(kernel, row["figures"]) else "**" if is_default(row) else "*"
        values = [row["figures"][key] for key, _ in columns]
        text += markdown_row([mark + kernel + mark, lanes] + ["" if v is None else v for v in values] +
                             [" ".join(sorted(set(row["in"]))), variant])
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--driver", required=True)
    parser.add_argument("--commit", required=True)
    parser.add_argument("--date", required=True)
    parser.add_argument("--output", required=True, type=pathlib.Path)
    parser.add_argument("reports", nargs="+", type=pathlib.Path)
    args = parser.parse_args()
    try:
        devices = collect(args.reports)
    except BadReport as error:
        print(f"vendor_table: {error}", file=sys.stderr)
        return 2

    pipelines = sum(len(device["rows"]) for device in devices.values())
    every_bad = [(f"{name} {key[0]}", is_default(row)) for name, device in devices.items()
                 for key, row in device["rows"].items() if is_bad(key[0], row["figures"])]
    bad = [name for name, by_default in every_bad if by_default]
    on_request = sorted({name for name, by_default in every_bad if not by_default})
    verdict = (f"{pipelines} pipelines on {len(devices)} devices, " +
               (f"{len(bad)} spill, use scratch memory, round f16 toward zero or lack matrix instructions: "
                f"{', '.join(sorted(set(bad)))}" if bad else
                "none spills, none uses scratch memory, none rounds f16 toward zero, all on matrices multiply by matrix "
                "instructions"))
    rounding = sorted({f"{name} {key[0]}" for name, device in devices.items() for key, row in device["rows"].items()
                       if row["figures"]["rounds_to_zero"] and is_default(row)})
    if rounding:
        verdict += f"; f16 rounded toward zero: {', '.join(rounding)}"
    if on_request:
        verdict += f"; but for those that are used on request only: {', '.join(on_request)}"
    text = "# What AMD's, Intel's and NVIDIA's open compilers make of the kernels\n\n"
    text += (f"By `tools/vendor_check.sh`, {args.date}, commit {args.commit}, Mesa {args.driver} (RADV's null device, ANV and "
             f"NVK on stubs of the kernel driver). Nothing was executed.\n\n**{verdict}.**\n\n")
    text += summary_table(devices) + NOTES
    for name, device in devices.items():
        text += device_table(name, device)
    args.output.write_text(text)
    print(f"{verdict}; the table is {args.output}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
