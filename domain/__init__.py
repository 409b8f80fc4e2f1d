"""The shared words: pure values and functions, importing nothing else of ours."""
