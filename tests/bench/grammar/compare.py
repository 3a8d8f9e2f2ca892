#!/usr/bin/env python3
"""The grammar engine beside xgrammar and llguidance (PyPI), in one run, as ratios.

  tests/bench/grammar/compare.py --bench build/tests/bench_grammar --tokenizer DIR [--schemas FILE] [--cases N]

DIR holds tokenizer.json (or .xz) and its tokenizer_config.json; FILE is golden/grammar/schemas.json. For each schema
and its valid texts: the time to compile, and for each token of a text the time to fill its mask. The three take turns
case by case, and processor time is taken, so that a busy machine does not decide; caches of compiled grammars are off."""
import argparse
import json
import lzma
import os
import shutil
import statistics
import subprocess
import tempfile
import time

import llguidance
import llguidance.hf
import llguidance.numpy
import numpy
import transformers
import xgrammar

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.environ.get("SERAPH_GOLDEN_DIR", os.path.join(HERE, "../../../../shared/golden"))


def unpacked(folder):
    """A copy of a tokenizer's folder with what is packed unpacked."""
    out = tempfile.mkdtemp(prefix="bench_grammar")
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if name.endswith(".xz"):
            with lzma.open(path) as source, open(os.path.join(out, name[:-3]), "wb") as target:
                shutil.copyfileobj(source, target)
        elif name.endswith(".json"):
            shutil.copy(path, out)
    return out


def timed(function):
    begin = time.thread_time()
    value = function()
    return value, time.thread_time() - begin


class Seraph:
    def __init__(self, binary, folder):
        self.process = subprocess.Popen([binary, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def measure(self, schema, ids):
        self.process.stdin.write(json.dumps({"schema": schema, "ids": ids}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer["compile_ms"], answer["mask_us"]


class XGrammar:
    def __init__(self, tokenizer):
        info = xgrammar.TokenizerInfo.from_huggingface(tokenizer, vocab_size=len(tokenizer))
        self.compiler = xgrammar.GrammarCompiler(info, max_threads=1, cache_enabled=False)
        self.mask = xgrammar.allocate_token_bitmask(1, len(tokenizer))

    def measure(self, schema, ids):
        compiled, seconds = timed(lambda: self.compiler.compile_json_schema(schema, strict_mode=False))
        matcher = xgrammar.GrammarMatcher(compiled)
        times = []
        for token in ids:
            times.append(timed(lambda: matcher.fill_next_token_bitmask(self.mask))[1] * 1e6)
            if not matcher.accept_token(token):
                raise ValueError("not accepted")
        return seconds * 1e3, times


class LlGuidance:
    def __init__(self, tokenizer):
        self.tokenizer = llguidance.hf.from_tokenizer(tokenizer, n_vocab=len(tokenizer))
        self.mask = llguidance.numpy.allocate_token_bitmask(1, len(tokenizer))

    def measure(self, schema, ids):
        def compiled():
            return llguidance.LLMatcher(self.tokenizer, llguidance.LLMatcher.grammar_from_json_schema(schema))
        matcher, seconds = timed(compiled)
        if matcher.is_error():
            raise ValueError(matcher.get_error())
        times = []
        for token in ids:
            times.append(timed(lambda: llguidance.numpy.fill_next_token_bitmask(matcher, self.mask))[1] * 1e6)
            if not matcher.consume_token(token):
                raise ValueError("not accepted")
        return seconds * 1e3, times


def line(name, values, unit):
    values = sorted(values)
    show = lambda share: values[min(len(values) - 1, int(share * len(values)))]
    print(f"  {name:12} median {statistics.median(values):9.3f} {unit}   p99 {show(0.99):9.3f}   worst {values[-1]:9.3f}"
          f"   ({len(values)} times)")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", required=True)
    parser.add_argument("--tokenizer", default=os.path.join(GOLDEN, "tokenizers/qwen2_5"))
    parser.add_argument("--schemas", default=os.path.join(GOLDEN, "grammar/schemas.json"))
    parser.add_argument("--cases", type=int, default=1000)
    args = parser.parse_args()
    folder = unpacked(args.tokenizer)
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=os.path.join(folder, "tokenizer.json"))
    engines = {"seraph": Seraph(args.bench, folder), "xgrammar": XGrammar(tokenizer), "llguidance": LlGuidance(tokenizer)}
    compiles = {name: [] for name in engines}
    masks = {name: [] for name in engines}
    shared = 0
    for case in json.load(open(args.schemas))["cases"][:args.cases]:
        texts = [t["text"] for t in case["tests"] if t.get("expect") == "accept"]
        if not texts:
            continue
        ids = tokenizer.encode(max(texts, key=len), add_special_tokens=False)
        measured = {}
        for name, engine in engines.items():
            try:
                measured[name] = engine.measure(case["schema"], ids)
            except (ValueError, RuntimeError) as error:
                print(f"{case.get('name', '?')}: {name}: {str(error)[:90]}")
        if len(measured) < len(engines):
            continue
        shared += 1
        for name, (compile_ms, mask_us) in measured.items():
            compiles[name].append(compile_ms)
            masks[name] += mask_us
    print(f"{shared} schemas that all three take, a vocabulary of {len(tokenizer)}")
    for what, unit, table in (("compile", "ms", compiles), ("mask", "us", masks)):
        print(what)
        for name, values in table.items():
            line(name, values, unit)
        own = statistics.median(table["seraph"])
        print("  ratios of medians: " + ", ".join(
            f"{name} / seraph {statistics.median(values) / own:.1f}" for name, values in table.items() if name != "seraph"))


main()
