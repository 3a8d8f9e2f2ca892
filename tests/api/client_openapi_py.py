"""schemathesis reads /openapi.json and sends what it allows and what it does not: no answer may be a 5xx or have a status,
media type or body that is not documented."""
import os
import re
import subprocess
import sys
from urllib.parse import urlsplit

SECONDS = 20
address = urlsplit(sys.argv[1])
tool = os.path.join(os.path.dirname(sys.executable), "schemathesis")
checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
result = subprocess.run([tool, "run", f"http://{address.netloc}/openapi.json", "--checks", checks, "--max-time", str(SECONDS),
                         "--phases", "examples,coverage,fuzzing", "-n", "20", "--continue-on-failure",
                         "--suppress-health-check", "all"], capture_output=True, text=True, timeout=200, cwd=os.environ.get("TMPDIR", "/tmp"))
if result.returncode != 0:
    sys.exit(result.stdout[-4000:] + result.stderr[-1000:])
cases = re.search(r"(\d+) generated", result.stdout)
if cases is None or int(cases[1]) < 100:
    sys.exit("too few test cases: " + result.stdout[-2000:])
print("ok", cases[0])
