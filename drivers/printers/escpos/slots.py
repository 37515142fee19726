"""Code pages by the slot number of ESC t, as the printers' own manuals list them: what a receiving printer knows.

On purpose not read from our profiles: a wrong slot in a profile must show on the virtual paper. The numbers up to 53 are
Epson's, 59 and 73 those of the 58 mm clones; they do not overlap. Pages that Python has no codec for are left out.
"""

SLOTS: dict[int, str] = {
    0: "cp437",
    2: "cp850",
    3: "cp860",
    4: "cp863",
    5: "cp865",
    13: "cp857",
    14: "cp737",
    15: "iso8859_7",
    16: "cp1252",
    17: "cp866",
    18: "cp852",
    19: "cp858",
    32: "cp720",
    33: "cp775",
    34: "cp855",
    35: "cp861",
    36: "cp862",
    37: "cp864",
    38: "cp869",
    39: "iso8859_2",
    40: "iso8859_15",
    44: "cp1125",
    45: "cp1250",
    46: "cp1251",
    47: "cp1253",
    48: "cp1254",
    49: "cp1255",
    50: "cp1256",
    51: "cp1257",
    52: "cp1258",
    53: "kz1048",
    59: "cp866",
    60: "cp855",
    71: "cp1252",
    72: "cp1250",
    73: "cp1251",
}
