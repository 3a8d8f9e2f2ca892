#!/usr/bin/env python3
"""What transformers reaches on this card with the shapes of the kit's bench: bfloat16, SDPA, a static cache, decode steps
in a CUDA graph, random weights. Prints a table in Markdown. Needs torch and transformers; exit status 77 without a card."""
import sys
import time

SHAPES = {
    "Qwen2.5-0.5B": ("qwen2", dict(hidden_size=896, num_attention_heads=14, num_key_value_heads=2, intermediate_size=4864,
                                   num_hidden_layers=24, vocab_size=151936, tie_word_embeddings=True)),
    "Qwen2-7B": ("qwen2", dict(hidden_size=3584, num_attention_heads=28, num_key_value_heads=4, intermediate_size=18944,
                               num_hidden_layers=28, vocab_size=152064, tie_word_embeddings=False)),
    "Llama-3.1-8B": ("llama", dict(hidden_size=4096, num_attention_heads=32, num_key_value_heads=8,
                                   intermediate_size=14336, num_hidden_layers=32, vocab_size=128256,
                                   tie_word_embeddings=False)),
}
BATCHES = (1, 4, 10, 16, 32, 64)
CONTEXT, STEPS, PREFILL = 512, 32, 2048


def build(torch, kind, fields):
    import transformers
    config_class = {"qwen2": transformers.Qwen2Config, "llama": transformers.LlamaConfig}[kind]
    config = config_class(max_position_embeddings=32768, **fields)
    with torch.device("cuda"):
        return transformers.AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16,
                                                             attn_implementation="sdpa").eval()


def seconds_of(torch, run, count):
    run()
    torch.cuda.synchronize()
    begin = time.perf_counter()
    for _ in range(count):
        run()
    torch.cuda.synchronize()
    return (time.perf_counter() - begin) / count


def decode_step_s(torch, model, batch):
    """One step behind CONTEXT tokens, recorded and replayed."""
    import transformers
    cache = transformers.StaticCache(config=model.config, max_cache_len=CONTEXT + STEPS)
    ids = torch.randint(0, model.config.vocab_size, (batch, CONTEXT), device="cuda")
    model(input_ids=ids, past_key_values=cache, cache_position=torch.arange(CONTEXT, device="cuda"), use_cache=True,
          logits_to_keep=1)
    token = ids[:, :1].clone()
    place = torch.tensor([CONTEXT], device="cuda")

    def step():
        logits = model(input_ids=token, past_key_values=cache, cache_position=place, use_cache=True).logits
        token.copy_(logits[:, -1].argmax(-1, keepdim=True))

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(2):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return seconds_of(torch, graph.replay, STEPS)


def main():
    import torch
    if not torch.cuda.is_available():
        print("no GPU: torch finds none")
        return 77
    print("| model | what | ms | tokens/s |\n| --- | --- | --- | --- |")
    for name, (kind, fields) in SHAPES.items():
        with torch.no_grad():
            model = build(torch, kind, fields)
            ids = torch.randint(0, model.config.vocab_size, (1, PREFILL), device="cuda")
            prefill = seconds_of(torch, lambda: model(input_ids=ids, use_cache=False, logits_to_keep=1), 3)
            print(f"| {name} | prefill of {PREFILL} | {prefill * 1e3:.2f} | {PREFILL / prefill:.0f} |", flush=True)
            for batch in BATCHES:
                try:
                    step = decode_step_s(torch, model, batch)
                    print(f"| {name} | decode, batch {batch} | {step * 1e3:.3f} | {batch / step:.0f} |", flush=True)
                except Exception as error:  # a version of transformers that cannot be recorded still gives a row
                    print(f"| {name} | decode, batch {batch} | failed: {str(error).splitlines()[0][:80]} | |", flush=True)
            del model
            torch.cuda.empty_cache()
    return 0


if __name__ == "__main__":
    sys.exit(main())
