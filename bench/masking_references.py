"""One other engine over one text, in an interpreter of its own: prints MB/s. `bench.masking` starts it.

python bench/masking_references.py presidio|detect-secrets TEXT_FILE
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

PIECE = 2_000


def presidio() -> Callable[[str], object]:
    """Presidio's rule recognizers over a tokenizer without a model: its fastest set-up that finds anything."""
    import spacy  # only where this engine was asked for
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    engine = SpacyNlpEngine()
    engine.nlp = {"en": spacy.blank("en")}
    registry = RecognizerRegistry()
    registry.load_predefined_recognizers()
    registry.remove_recognizer("SpacyRecognizer")
    analyzer = AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=["en"])

    def scan(text: str) -> None:
        for place in range(0, len(text), PIECE):
            analyzer.analyze(text[place : place + PIECE], language="en")

    return scan


def detect_secrets() -> Callable[[str], object]:
    """detect-secrets with its default plugins, as in a scan of a file."""
    from detect_secrets import SecretsCollection
    from detect_secrets.settings import default_settings

    def scan(text: str) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".log") as file, default_settings():
            file.write(text)
            file.flush()
            SecretsCollection().scan_file(file.name)

    return scan


ENGINES = {"presidio": presidio, "detect-secrets": detect_secrets}


def main(arguments: list[str]) -> int:
    """Print MB/s of one warm scan."""
    engine, path = arguments
    text = Path(path).read_text(encoding="utf-8")
    scan = ENGINES[engine]()
    scan(text[:PIECE])
    started = time.process_time()
    scan(text)
    print(len(text.encode()) / (time.process_time() - started) / 1e6)  # its one result
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
