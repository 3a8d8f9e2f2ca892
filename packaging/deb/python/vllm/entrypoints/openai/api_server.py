"""`python3 -m vllm.entrypoints.openai.api_server FLAGS` hands over to `seraph serve FLAGS`: no Python serves.

The binary is $SERAPH_BINARY, else the `seraph` that PATH finds.
"""

import os
import shutil
import sys


def main() -> None:
    binary = os.environ.get("SERAPH_BINARY") or shutil.which("seraph")
    if not binary:
        sys.exit("vllm.entrypoints.openai.api_server: error: the program seraph is not installed (it is not on PATH)")
    os.execv(binary, [binary, "serve", *sys.argv[1:]])


if __name__ == "__main__":
    main()
