#!/usr/bin/env python3
"""Builds the functions and writes what SAM deploys into target/package: template.yaml, a zip for each function, and SHA256SUMS.

The same commit, Rust toolchain and cargo-lambda make the same programs, in whatever folder and for whatever user. It needs cargo-lambda
(PyPI has it), which builds for the C library of AWS Lambda.
"""
import argparse
import hashlib
import os
import re
import subprocess
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "template.yaml"
TARGET = ROOT / "target/package"
FUNCTION = re.compile(r"    Metadata: \{BuildMethod: rust-cargolambda, BuildProperties: \{Binary: ([a-z-]+)\}\}\n(    Properties:\n)?")


def functions(template):
    return [name for name, _ in FUNCTION.findall(template)]


def build(names, architecture):
    """Returns the program of each function."""
    subprocess.run(["cargo", "fetch", "--locked"], cwd=ROOT, check=True)
    cargo_home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    # Panics name the files of dependencies; these are in another folder on each machine, and each registry has one of its own.
    folders = [(ROOT, "restock"), *((folder, "crates") for folder in (cargo_home / "registry/src").glob("*"))]
    flags = [os.environ.get("RUSTFLAGS", ""), *(f"--remap-path-prefix={folder}=/{name}" for folder, name in folders)]
    programs = TARGET / "programs"
    binaries = [argument for name in names for argument in ("--bin", name)]
    command = ["cargo", "lambda", "build", "--release", f"--{architecture}", "--lambda-dir", programs, *binaries]
    subprocess.run(command, cwd=ROOT, env=os.environ | {"RUSTFLAGS": " ".join(flags).strip()}, check=True)
    return {name: (programs / name / "bootstrap").read_bytes() for name in names}


def zipped(program, file):
    bootstrap = zipfile.ZipInfo("bootstrap")  # of 1980, as that is its default
    bootstrap.external_attr = 0o755 << 16
    bootstrap.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(file, "w") as package:
        package.writestr(bootstrap, program)


def write(programs, template, folder):
    """Writes a template whose functions are the given programs."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, program in programs.items():
        zipped(program, folder / f"{name}.zip")
    digests = [f"{hashlib.sha256(program).hexdigest()}  {name}\n" for name, program in sorted(programs.items())]
    (folder / "SHA256SUMS").write_text("".join(digests))

    def with_code(function):
        code = f"CodeUri: {function[1]}.zip"
        return f"    Properties:\n      {code}\n" if function[2] else f"    Properties: {{{code}}}\n"

    (folder / "template.yaml").write_text(FUNCTION.sub(with_code, template))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", choices=["arm64", "x86-64"], default="arm64")
    arguments = parser.parse_args()
    template = TEMPLATE.read_text()
    template = template.replace("Architectures: [arm64]", f"Architectures: [{arguments.architecture.replace('-', '_')}]")
    names = functions(template)
    write(build(names, arguments.architecture), template, TARGET)
    print(f"Packaged {len(names)} functions: sam deploy --template-file {TARGET.relative_to(ROOT)}/template.yaml …")


if __name__ == "__main__":
    main()
