#!/usr/bin/env python3
"""seraph against llama.cpp and a real vLLM on this machine, in one run, as ratios. Standard library only.

  tests/bench/rivals.py --seraph build/seraph --llama-bench PATH/llama-bench [--threads 2]
      the same random Qwen2.5-0.5B-shaped bfloat16 weights: 512-token prefill and decode of one stream. The rival is
      measured by its own llama-bench (no HTTP); seraph through its HTTP API, so its figures carry that overhead.
      Needs the Python package gguf (and numpy) to write the rival's file; --gguf FILE takes one that exists.
  tests/bench/rivals.py --seraph build/seraph --vllm VENV --model SMOLLM2_DIR
      decode of 1 and 8 concurrent streams of the real model; VENV holds a vLLM for CPU (`VENV/bin/vllm`).

Rounds alternate (rival, seraph, rival, ...) and medians are compared, so that a slow phase of the machine hits both.
"""
import argparse, http.client, json, os, signal, socket, statistics, subprocess, sys, tempfile, threading, time

SHAPE = dict(hidden_size=896, intermediate_size=4864, num_hidden_layers=24, num_attention_heads=14,
             num_key_value_heads=2, vocab_size=151936)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """A server process that answers /health once it is ready."""

    def __init__(self, command, env=None, wait_s=600):
        self.port = free_port()
        self.log = tempfile.NamedTemporaryFile("w+", suffix=".log", delete=False)
        self.process = subprocess.Popen(command + ["--host", "127.0.0.1", "--port", str(self.port)],
                                        stdout=self.log, stderr=self.log, env=dict(os.environ, **(env or {})))
        end = time.time() + wait_s
        while time.time() < end:
            if self.process.poll() is not None:
                break
            try:
                if self.request("GET", "/health")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.1)
        raise SystemExit("no server: " + open(self.log.name).read()[-2000:])

    def request(self, method, path, body=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        c.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
        r = c.getresponse()
        data = r.read()
        c.close()
        return r.status, data

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()


def stream(port, model, prompt_ids, tokens):
    """(time to first token, time of the last, events) of one greedy streamed completion, in seconds."""
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    body = dict(model=model, prompt=prompt_ids, max_tokens=tokens, temperature=0, ignore_eos=True, stream=True)
    begin = time.perf_counter()
    c.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"})
    r = c.getresponse()
    if r.status != 200:
        raise SystemExit(f"{r.status}: {r.read()[:300]}")
    first = last = None
    count = 0
    for line in r:
        if line.startswith(b"data: {"):
            last = time.perf_counter()
            first = first or last
            count += 1
    c.close()
    return first - begin, last - begin, count


def prompt(seed, length, vocab):
    state, ids = seed * 2654435761 + 1, []
    for _ in range(length):
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        ids.append(100 + state % (vocab - 200))
    return ids


def streams(port, model, concurrency, tokens, seed, vocab, prompt_tokens=32):
    """Generated tokens per second: of one stream from its first token on, of several from the start to the last token."""
    out = [None] * concurrency

    def one(i):
        out[i] = stream(port, model, prompt(seed * 64 + i, prompt_tokens, vocab), tokens)

    threads = [threading.Thread(target=one, args=(i,)) for i in range(concurrency)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    if concurrency == 1:
        ttft, total, _ = out[0]
        return (tokens - 1) / (total - ttft)
    return concurrency * tokens / max(total for _, total, _ in out)


def write_gguf(path):
    """Random bfloat16 weights of SHAPE in llama.cpp's format."""
    import gguf, numpy as np
    w = gguf.GGUFWriter(path, "qwen2")
    h, i, n, kv, v = (SHAPE[k] for k in ("hidden_size", "intermediate_size", "num_attention_heads",
                                         "num_key_value_heads", "vocab_size"))
    w.add_block_count(SHAPE["num_hidden_layers"]); w.add_context_length(4096); w.add_embedding_length(h)
    w.add_feed_forward_length(i); w.add_head_count(n); w.add_head_count_kv(kv); w.add_layer_norm_rms_eps(1e-6)
    w.add_rope_freq_base(1e6); w.add_tokenizer_model("gpt2"); w.add_tokenizer_pre("qwen2")
    w.add_token_list([f"t{k}" for k in range(v)]); w.add_token_types([1] * v); w.add_token_merges(["a b"])
    w.add_eos_token_id(1); w.add_bos_token_id(0)
    rng = np.random.default_rng(1)

    def bf16(name, *shape):
        data = (rng.standard_normal(shape, dtype=np.float32) * 0.02).view(np.uint32) >> 16
        w.add_tensor(name, data.astype(np.uint16).view(np.uint8), raw_dtype=gguf.GGMLQuantizationType.BF16)

    bf16("token_embd.weight", v, h)
    w.add_tensor("output_norm.weight", np.ones(h, np.float32))
    for b in range(SHAPE["num_hidden_layers"]):
        p = f"blk.{b}."
        w.add_tensor(p + "attn_norm.weight", np.ones(h, np.float32)); w.add_tensor(p + "ffn_norm.weight", np.ones(h, np.float32))
        for name, rows in (("attn_q", h), ("attn_k", kv * 64), ("attn_v", kv * 64)):
            bf16(p + name + ".weight", rows, h); w.add_tensor(p + name + ".bias", np.zeros(rows, np.float32))
        bf16(p + "attn_output.weight", h, h); bf16(p + "ffn_gate.weight", i, h); bf16(p + "ffn_up.weight", i, h)
        bf16(p + "ffn_down.weight", h, i)
    w.write_header_to_file(); w.write_kv_data_to_file(); w.write_tensors_to_file(); w.close()


def dummy_folder(tokenizer_dir):
    """config.json of SHAPE; the tokenizer is any that the caller has (prompts are token ids)."""
    d = tempfile.mkdtemp(prefix="rivals")
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        if os.path.exists(os.path.join(tokenizer_dir, name)):
            os.symlink(os.path.abspath(os.path.join(tokenizer_dir, name)), os.path.join(d, name))
    json.dump(dict(SHAPE, architectures=["Qwen2ForCausalLM"], model_type="qwen2", hidden_act="silu", rms_norm_eps=1e-6,
                   rope_theta=1e6, max_position_embeddings=4096, tie_word_embeddings=True, torch_dtype="bfloat16",
                   bos_token_id=0, eos_token_id=1), open(d + "/config.json", "w"))
    return d


def against_llama(args):
    path = args.gguf or os.path.join(tempfile.gettempdir(), "rivals-qwen2.5-0.5b-bf16.gguf")
    if not os.path.exists(path):
        write_gguf(path)
    folder = dummy_folder(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../config/demo"))
    ours = {"prefill": [], "decode": []}
    theirs = {"prefill": [], "decode": []}
    for round_index in range(args.rounds):
        out = subprocess.run([args.llama_bench, "-m", path, "-t", str(args.threads), "-p", "512", "-n", "64", "-r", "2",
                              "-o", "json"], capture_output=True, text=True, check=True).stdout
        for row in json.loads(out):
            theirs["prefill" if row["n_prompt"] else "decode"].append(row["avg_ts"])
        server = Server([args.seraph, "serve", folder, "--served-model-name", "m", "--load-format", "dummy", "--dtype",
                         "bfloat16", "--threads", str(args.threads), "--max-model-len", "2048",
                         "--max-num-batched-tokens", "512"])
        stream(server.port, "m", prompt(99, 32, 4000), 8)
        for k in range(2):
            ttft, _, _ = stream(server.port, "m", prompt(7 + 10 * round_index + k, 512, 150000), 1)
            ours["prefill"].append(512 / ttft)
            ours["decode"].append(streams(server.port, "m", 1, 64, 3 + 10 * round_index + k, 150000, prompt_tokens=1))
        server.stop()
    return ours, theirs


def against_vllm(args):
    config = json.load(open(args.model + "/config.json"))
    env = dict(HF_HUB_OFFLINE="1", VLLM_NO_USAGE_STATS="1", VLLM_TARGET_DEVICE="cpu", VLLM_CPU_KVCACHE_SPACE="1",
               PATH=args.vllm + "/bin:" + os.environ["PATH"])
    ours, theirs = {}, {}
    for name, command, extra, figures in (
            ("vllm", [args.vllm + "/bin/vllm", "serve", args.model, "--served-model-name", "m"], env, theirs),
            ("seraph", [args.seraph, "serve", args.model, "--served-model-name", "m", "--threads", str(args.threads)], {}, ours)):
        server = Server(command + ["--dtype", "bfloat16", "--max-model-len", "2048"], extra)
        for concurrency in (1, 8):
            streams(server.port, "m", concurrency, 16, 5, config["vocab_size"])
            figures[f"decode x{concurrency}"] = [streams(server.port, "m", concurrency, 128, 11 + k, config["vocab_size"])
                                                 for k in range(args.rounds)]
        server.stop()
        print("measured", name, file=sys.stderr)
    return ours, theirs


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seraph", required=True); p.add_argument("--llama-bench"); p.add_argument("--gguf")
    p.add_argument("--vllm"); p.add_argument("--model"); p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--rounds", type=int, default=3)
    args = p.parse_args()
    jobs = ([("llama.cpp", against_llama)] if args.llama_bench else []) + ([("vLLM", against_vllm)] if args.vllm else [])
    if not jobs:
        p.error("name a rival: --llama-bench, or --vllm with --model")
    for rival, job in jobs:
        ours, theirs = job(args)
        for what in ours:
            a, b = statistics.median(ours[what]), statistics.median(theirs[what])
            print(f"{what:12s} seraph {a:9.1f} tok/s   {rival} {b:9.1f} tok/s   ratio {a / b:5.2f}")


if __name__ == "__main__":
    main()
