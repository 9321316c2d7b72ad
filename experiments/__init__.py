"""What a person runs: training, evaluation, anonymisation, and their configurations."""
