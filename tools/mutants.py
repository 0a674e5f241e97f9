#!/usr/bin/env python3
"""Breaks a kernel of every op in one line, and sees whether its tests notice.

  tools/mutants.py build-ci [OP...]

Two mutants of each op, written to a copy of shaders/: a value that it stores is off by a 64th, and two of its
bindings change places. Its cases in GoogleTest and `vkgpt selftest` must fail for the first, and name the op;
the contract between shader and host must refuse the second and name the kernel. Prints a line for each op and
exits with 1 if a mutant survived.
"""
import itertools
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
STORE = re.compile(r"(\b\w+\[[^=;{}]+\](?:\.\w+)?\s*[+-]?=)\s*([^=;{}][^;{}]*);")
CALL = re.compile(r"(= to_element(?:_of)?\((?:\w+, )?)(.+)\);")
LOCAL = re.compile(r"(\b(?:float|vec4|wide|f32vec4)\s+\w+\s*=)\s*([^;{}]+);")
MOST_TRIED = 16  # changes of a kernel
CHANGES = ("({}) * 1.015625", "({}) ^ 0x00400040u", "({}) ^ uint16_t(0x40)")
SHARED = {"fill", "column_sums"}  # kernels that ops share: mutants of the op of that name only


def run(command, shaders):
    environment = dict(os.environ, VKGPT_DEVICE="llvmpipe", VKGPT_SHADER_DIR=str(shaders),
                       LP_NATIVE_VECTOR_WIDTH="256")  # as the tests: wider ones crash where words are packed
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, errors="replace")
    return done.returncode, done.stdout + done.stderr


def tests_of(build, op, shaders):
    return run([f"{build}/vkgpt_tests", f"--gtest_filter=GpuCheck.{op}/*", "--gtest_brief=1"], shaders)


def stems_of(build, op, folder):
    listing = folder / "kernels"
    os.environ["VKGPT_TEST_KERNELS"] = str(listing)
    status, text = tests_of(build, op, ROOT / "shaders")
    if status != 0:
        sys.exit(f"mutants.py: the tests of {op} fail without a mutant:\n{text[-2000:]}")
    stems = {line.split()[0] for line in listing.read_text().splitlines() if line.strip()}
    listing.unlink()
    del os.environ["VKGPT_TEST_KERNELS"]
    # Kernels that only GPUs take are no business of selftest on this driver.
    own = [stem for stem in sorted(stems - (SHARED - {op})) if not re.search("_held$|_simt$|_khr$|_nv$", stem)]
    return sorted(own, key=lambda stem: op not in stem)


def value_mutants(source):
    """The source with one value changed, for each line that stores one, then for each that computes one."""
    lines = source.splitlines()
    for pattern in (CALL, STORE, LOCAL):
        for at, line in enumerate(lines):
            found = pattern.search(line)
            if not found or line.lstrip().startswith(("//", "layout", "#")):
                continue
            end = ");" if pattern is CALL else ";"
            for change in CHANGES:
                changed = f"{found.group(1)} {change.format(found.group(2))}{end}"
                yield "\n".join(lines[:at] + [line[: found.start()] + changed + line[found.end() :]] + lines[at + 1 :]) + "\n"


def swapped_bindings(source):
    """The source with the first read-only binding and the first one that is written exchanged."""
    places = list(re.finditer(r"layout\(set = 0, binding = (\d+), std430\)( readonly)?", source))
    reads = [place for place in places if place.group(2)]
    writes = [place for place in places if not place.group(2)]
    if not reads or not writes:
        return None
    one, two = sorted((reads[0], writes[0]), key=lambda place: place.start())
    return (source[: one.start(1)] + two.group(1) + source[one.end(1) : two.start(1)] + one.group(1)
            + source[two.end(1) :])


def mutants_of(stem, op):
    """Changed files: of the kernel, then of what it includes that bears the op's name."""
    kernel = (ROOT / f"shaders/{stem}.comp").read_text()
    included = [name for name in re.findall(r'#include "(\w+\.glsl)"', kernel) if op in name]
    for file in [f"{stem}.comp"] + [f"include/{name}" for name in included]:
        for text in value_mutants((ROOT / "shaders" / file).read_text()):
            yield file, text


def try_mutant(build, op, stem, text, folder, file=None):
    """What GoogleTest and selftest say of the kernel with this text in its file, or in `file`; None where it does not
    compile."""
    shaders = folder / "shaders"
    shutil.rmtree(shaders, ignore_errors=True)
    shutil.copytree(ROOT / "shaders", shaders)
    (shaders / (file or f"{stem}.comp")).write_text(text)
    status, said = run([f"{build}/vkgpt", "selftest", "--op", op, "--strict"], shaders)
    if "compil" in said and stem in said:
        return None
    test_status, test_said = tests_of(build, op, shaders)
    return (test_status != 0 and f"GpuCheck.{op}" in test_said, test_said), (status != 0 and op in said, said)


def check_op(build, op, folder):
    """True if every mutant of `op` was noticed."""
    for stem in stems_of(build, op, folder):
        source = (ROOT / f"shaders/{stem}.comp").read_text()
        for file, text in itertools.islice(mutants_of(stem, op), MOST_TRIED):
            verdict = try_mutant(build, op, stem, text, folder, file)
            if verdict is None or not (verdict[0][0] or verdict[1][0]):
                continue  # it does not compile, or no variant that is tested has that line
            (test, _), (selftest, _) = verdict
            swapped = swapped_bindings(source)
            contract = "no binding to exchange"
            if swapped:
                result = try_mutant(build, op, stem, swapped, folder)
                said = result[1][1] if result else "refused by the compiler"
                contract = "named" if result is None or (result[1][0] and stem in said) else "MISSED"
            print(f"{op:<16} {stem:<34} GoogleTest {'named' if test else 'MISSED':<7} "
                  f"selftest {'named' if selftest else 'MISSED':<7} contract {contract}", flush=True)
            return test and selftest and contract != "MISSED"
    print(f"{op:<16} no change was noticed", flush=True)
    return False


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    build = pathlib.Path(sys.argv[1]).resolve()
    manifest = (ROOT / "src/check/ops.inc").read_text()
    ops = sys.argv[2:] or re.findall(r"^VKGPT_OP\((\w+)\)", manifest, re.M)
    with tempfile.TemporaryDirectory() as folder:
        missed = [op for op in ops if not check_op(build, op, pathlib.Path(folder))]
    print(f"{len(ops)} ops, {len(missed)} with a mutant that nothing noticed" + "".join(f" {op}" for op in missed))
    sys.exit(1 if missed else 0)


main()
