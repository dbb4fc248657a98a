"""The compiled-in templates, looked at by MJML's own validator: the renderer that is compiled in is another one."""

import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[2]
MJML = ROOT / "target/ci-mjml/node_modules/.bin/mjml"
TEMPLATES = ROOT / "shared/email/templates"
# What stands in attributes of which MJML knows the values.
EXAMPLES = [(r"\{\{ dir \}\}", "rtl"), (r"\{\{ start \}\}", "right"), (r"\{\{ (light|dark)\.\w+ \}\}", "#1f6f54")]


@pytest.mark.skipif(not MJML.exists(), reason="MJML is not installed: npm install --prefix target/ci-mjml mjml")
@pytest.mark.parametrize("name", ["back-in-stock.mjml", "letter.mjml"])
def test_a_compiled_in_template_is_valid(name, tmp_path):
    for source in TEMPLATES.glob("*.mjml"):
        text = source.read_text()
        for variable, example in EXAMPLES:
            text = re.sub(variable, example, text)
        (tmp_path / source.name).write_text(text)

    found = subprocess.run([MJML, "--validate", name], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (found.returncode, found.stdout + found.stderr) == (0, "")
