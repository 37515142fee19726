"""The ESC/POS language: `encoder` writes it, `commands` splits it, `paper` draws it, `status` reads what comes back."""
