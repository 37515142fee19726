"""The customer's way in: from the QR on a receipt to a member with a card.

    phone.py     what people type -> one form of a number, and how it is masked
    wording.py   the texts that are agreed to, by purpose, version and language
    sender.py    how a code reaches a phone: the console; gateway.py: by HTTP
    steps.py     the two steps (ask for a code, confirm it) as transactions
    pages.py     what the phone shows: plain HTML without a script
    routes.py    HTTP
    at_till.py   the same two steps for a till, where the cashier types the phone

The pages hand over no account: before the code is confirmed they show nothing but the points of the receipt itself.
"""
