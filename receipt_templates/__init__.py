"""What stands on the paper: template -> line markup -> document -> rows. Pure: no bytes, no devices, no clock.

`templates.render` makes a `document.Document`; `layout.lay_out` turns it into rows of a given number of columns, which the
ESC/POS encoder, the previews and the slip lines for other people's printers all share.
"""
