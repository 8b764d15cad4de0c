"""`transformers serve` with a small model of Llama's shape and random weights; downloads nothing.

    python examples/llm/transformers_serve.py --device cpu --port 8000

The model is made once, in a folder of the temporary directory. Then this process becomes
`transformers serve` with the same options. Needs `pip install 'transformers[serving]'`.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

WORDS = 1000
SHAPE = {
    "hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 4,
    "num_attention_heads": 8, "num_key_value_heads": 4, "max_position_embeddings": 2048,
}  # fmt: skip
CHAT = "{% for message in messages %}{{ message['content'] }} {% endfor %}"


def save(folder: Path) -> None:
    """Saves a model whose vocabulary are words, none of which ends an answer."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({f"w{at}": at for at in range(WORDS)}, unk_token="w0"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, chat_template=CHAT)
    torch.manual_seed(0)
    config = LlamaConfig(vocab_size=WORDS, bos_token_id=None, eos_token_id=None, **SHAPE)
    tokenizer.save_pretrained(folder)
    LlamaForCausalLM(config).save_pretrained(folder)


def model() -> Path:
    """The folder of the model, which is made if it is not there.

    Several servers may start at the same time: the model that is complete first stays.
    """
    folder = Path(tempfile.gettempdir(), f"giveway-models-{os.getuid()}", "transformers-tiny")
    if not folder.exists():
        folder.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as unfinished:
            made = Path(unfinished, "model")
            save(made)
            try:
                made.rename(folder)
            except OSError:
                if not folder.exists():
                    raise
    return folder


if __name__ == "__main__":
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_UPDATE_CHECK": "1"}
    serve = [sys.executable, "-m", "transformers.cli.transformers", "serve"]
    os.execv(sys.executable, [*serve, str(model()), *sys.argv[1:]])
