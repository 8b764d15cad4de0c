"""Starts vLLM with its own settings and a model with random weights, and answers: for tests."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

MODEL = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
    "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "head_dim": 64,
    "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256,
    "max_position_embeddings": 8192, "rms_norm_eps": 1e-5, "rope_theta": 500000.0,
    "tie_word_embeddings": True, "torch_dtype": "bfloat16", "bos_token_id": 0, "eos_token_id": 1,
}  # fmt: skip


def main() -> None:
    os.environ |= {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
    os.environ |= {"VLLM_USE_FLASHINFER_SAMPLER": "0"}
    from vllm import LLM, SamplingParams

    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "config.json").write_text(json.dumps(MODEL))
        engine = LLM(model=folder, skip_tokenizer_init=True, load_format="dummy")
        wanted = SamplingParams(max_tokens=8, ignore_eos=True, detokenize=False)
        (answer,) = engine.generate([{"prompt_token_ids": [1, 2, 3]}], wanted, use_tqdm=False)
    print(len(answer.outputs[0].token_ids), file=sys.stdout, flush=True)


if __name__ == "__main__":
    main()
