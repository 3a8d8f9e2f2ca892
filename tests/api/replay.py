#!/usr/bin/env python3
"""Replays the recorded exchanges of a real vLLM (golden/api/exchanges.jsonl) and compares their meaning: status, values,
joined streams, the class of errors. What differs on purpose stands in replay_differences.json, each with its reason; a
difference that is not in the list fails. Lines of the list that no longer differ are named.

    replay.py BINARY [--golden DIR] [--only WORD] [--list]
Exit 77: the recorded exchanges are not there."""
import argparse
import fnmatch
import glob
import http.client
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile

import run

SKIP = 77
# Values that no two servers share: ids, times, names of models on the disk, versions.
FREE = {"id", "created", "created_at", "completed_at", "request_id", "response_id", "item_id", "call_id", "root", "permission",
        "version", "system_fingerprint", "sequence_number", "metrics", "cached_tokens", "created_cache_tokens",
        "cache_read_input_tokens", "cache_creation_input_tokens"}
PLACEHOLDER = re.compile(r"<(hex|uuid)\d*:\d+>|^/models/")


def with_cached_input(value):
    """Usage in Anthropic's form leaves out what came from the prefix cache, whose fill no two servers share."""
    cached = value.get("cache_read_input_tokens")
    return {**value, "input_tokens": value.get("input_tokens", 0) + cached} if isinstance(cached, int) else value


def difference(want, got, path=""):
    """The first place where `got` says something else, or ''. Null may be absent; further members are free."""
    if isinstance(want, str) and PLACEHOLDER.search(want):
        return "" if isinstance(got, str) else f"{path} is {got!r}"
    if want is None:
        return "" if got in (None, [], "") else f"{path} is {got!r}, not null"
    if isinstance(want, dict) and isinstance(got, dict):
        want, got = with_cached_input(want), with_cached_input(got)
        members = (difference(value, got.get(name), f"{path}.{name}") for name, value in want.items() if name not in FREE)
        return next(filter(None, members), "")
    if isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
        return next(filter(None, (difference(*pair, f"{path}[{i}]") for i, pair in enumerate(zip(want, got)))), "")
    if isinstance(want, float) or isinstance(got, float):
        numbers = isinstance(want, (int, float)) and isinstance(got, (int, float))
        same = numbers and math.isclose(want, got, rel_tol=1e-3, abs_tol=2e-3)
    else:
        same = type(want) is type(got) and want == got
    return "" if same else f"{path} is {str(got)[:40]!r}, not {str(want)[:40]!r}"


def parsed(text):
    try:
        return json.loads(text)
    except ValueError:
        return text


def stream_meaning(events):
    """A stream as one value: joined text, reasoning and calls of each choice, its end, usage, the kinds of typed events."""
    out = {"choices": {}, "usage": None, "done": False, "kinds": []}
    for event in events:
        data = event.split("data:", 1)[-1].strip()
        out["done"] |= data == "[DONE]"
        body = parsed(data)
        if not isinstance(body, dict):
            continue
        if "type" in body and "choices" not in body:
            out["kinds"] += [body["type"]] if out["kinds"][-1:] != [body["type"]] else []
        if body.get("usage"):
            out["usage"] = {name: value for name, value in body["usage"].items() if isinstance(value, int)}
        for choice in body.get("choices") or []:
            add_choice(out["choices"].setdefault(choice.get("index", 0), {"text": "", "reasoning": "", "calls": {}}), choice)
    for choice in out["choices"].values():
        for call in choice["calls"].values():
            call["arguments"] = parsed(call["arguments"])
    out["choices"] = [out["choices"][index] for index in sorted(out["choices"])]
    return out


def add_choice(joined, choice):
    delta = choice.get("delta") or {}
    joined["text"] += delta.get("content") or choice.get("text") or ""
    joined["reasoning"] += delta.get("reasoning") or ""
    for call in delta.get("tool_calls") or []:
        target = joined["calls"].setdefault(call["index"], {"name": "", "arguments": ""})
        for name in target:
            target[name] += (call.get("function") or {}).get(name) or ""
    for name in ("finish_reason", "stop_reason"):
        joined[name] = choice.get(name) or joined.get(name)


def error_difference(want, got):
    error = want.get("error") if isinstance(want, dict) else None
    if not isinstance(error, dict):
        return "" if got else "no body"
    ours = got.get("error") if isinstance(got, dict) else None
    if not isinstance(ours, dict) or not ours.get("message"):
        return "no error object"
    if error.get("code") is not None and ours.get("code") != error["code"]:
        return f"code is {ours.get('code')!r}, not {error['code']!r}"
    field = re.split(r"[.\[]", str(error.get("param") or ""))[-1]
    named = field.isdigit() or field in str(ours.get("param")) + ours["message"]
    return "" if named else f"{field} is not named: {ours['message'][:80]!r}"


def shape_of(value):
    return {name: None for name in value if value[name] is not None} if isinstance(value, dict) else value


def answer_difference(record, status, text):
    want = record["response"]
    if status != want["status"]:
        return f"status {status}, not {want['status']}"
    check = record["check"]
    if check == "status":
        return ""
    if "sse" in want:
        pair = [stream_meaning(want["sse"]), stream_meaning(text.split("\n\n"))]
        if check == "shape":
            pair = [{"done": each["done"], "choices": len(each["choices"])} for each in pair]
        return difference(*pair)
    body, got = want.get("body", want.get("body_text")), parsed(text)
    if check.startswith("error"):
        return error_difference(body, got)
    if check == "shape":
        missing = [name for name in shape_of(body) if name not in got] if isinstance(body, dict) and isinstance(got, dict) else []
        return f"without {missing}" if missing or type(body) is not type(got) else ""
    return difference(body, got if text or body else body)


def send(port, request, folders):
    body = request.get("body_text", json.dumps(request["body"], ensure_ascii=False) if "body" in request else None)
    for name, folder in folders.items():
        body = body.replace(name, folder) if body else body
    data = bytes.fromhex(request["body_hex"]) if "body_hex" in request else body.encode() if body is not None else None
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request(request["method"], request["path"], data, request.get("headers") or {})
    response = connection.getresponse()
    return response.status, response.read().decode("utf-8", "replace")


def is_about_framing(record):
    return any(name.lower() in ("transfer-encoding", "expect", "connection") for name in record["request"].get("headers") or {})


def copy_model(golden, name, target):
    """A model folder whose shards may be links to another's file, or, where links got lost, texts that name it."""
    shutil.copytree(os.path.join(golden, name), target)
    os.chmod(target, 0o755)
    for shard in glob.glob(target + "/*.safetensors"):
        with open(shard, "rb") as file:
            text = file.read(200)
        if text.startswith(b"../"):
            os.remove(shard)
            shutil.copy(os.path.join(golden, name, text.decode().strip()), shard)


def replay_server(binary, golden, server, records):
    """{name: difference or ''} of the records of one server configuration."""
    folders = {f"/models/{name}": os.path.join(golden, name) for name in ("model", "lora", "classifier", "reranker")}
    port = run.free_port()
    results = {}
    with tempfile.NamedTemporaryFile("w", suffix=".log") as log, tempfile.TemporaryDirectory() as folder:
        copy_model(golden, server["model"], folder + "/model")
        command = [binary, "serve", "--model", folder + "/model", "--served-model-name", "tiny", "tiny-alias",
                   "--dtype", "float32", "--max-model-len", "512", "--port", str(port), "--db", folder + "/seraph.db",
                   *server["flags"]]
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **server["env"]})
        try:
            run.wait_until_healthy(process, port, log)
            for record in records:
                try:
                    results[record["name"]] = answer_difference(record, *send(port, record["request"], folders))
                except (OSError, http.client.HTTPException) as error:
                    results[record["name"]] = f"no answer: {error!r}"
        except SystemExit as error:
            results = {record["name"]: f"the server did not start: {str(error)[-80:]}" for record in records}
        finally:
            process.terminate()
            process.wait(60)
    return results


def judge(results, accepted):
    """The differences that nobody accepted, and the accepted ones that are gone."""
    wrong, used = [], set()
    for name, found in results.items():
        pattern = next((each for each in accepted if fnmatch.fnmatchcase(name, each)), None)
        if found and pattern is None:
            wrong.append(f"{name}: {found}")
        elif found:
            used.add(pattern)
    return wrong, [pattern for pattern in accepted if pattern not in used]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    default = os.path.join(os.path.dirname(os.path.dirname(run.HERE)), "..", "shared", "golden")
    parser.add_argument("--golden", default=os.environ.get("SERAPH_GOLDEN_DIR", default))
    parser.add_argument("--only", default="", help="records with this word in their name")
    parser.add_argument("--list", action="store_true", help="print every difference, accepted or not")
    args = parser.parse_args()
    golden = os.path.join(args.golden, "api")
    if not os.path.exists(golden + "/exchanges.jsonl"):
        print("skipped: the recorded exchanges are not there")
        return SKIP
    with open(golden + "/exchanges.jsonl") as file:
        records = [record for record in map(json.loads, file) if args.only in record["name"] and not is_about_framing(record)]
    with open(golden + "/routes.json") as file:
        servers = json.load(file)["servers"]
    with open(os.path.join(run.HERE, "replay_differences.json")) as file:
        accepted = json.load(file)
    results = {}
    for name in dict.fromkeys(record["server"] for record in records):
        mine = [record for record in records if record["server"] == name]
        results.update(replay_server(args.binary, golden, servers[name], mine))
    if args.list:
        print("\n".join(f"{name}: {found}" for name, found in results.items() if found))
    wrong, gone = judge(results, accepted)
    for line in wrong:
        print(line)
    if gone and not args.only:
        print("no longer different, to be taken off the list: " + ", ".join(gone))
    print(f"{sum(not found for found in results.values())} of {len(results)} exchanges mean the same; {len(wrong)} unexplained")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
