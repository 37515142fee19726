// A Russian loyalty receipt with a picture and a QR code, as the encoders of others send it. Run by remake.sh.
const fs = require("fs");
const path = require("path");
const { PNG } = require("pngjs");
const receiptline = require("receiptline");
const ReceiptPrinterEncoder = require("@point-of-sale/receipt-printer-encoder");

const out = process.argv[2];
const URL = "https://bonus.zerno.ru/e/ABCDEFGH234567";
const SIDE = 64;

// A black frame of 8 dots with a black square of 16 in the middle: easy to find again on the paper.
const isBlack = (x, y) =>
  Math.min(x, y, SIDE - 1 - x, SIDE - 1 - y) < 8 || (Math.abs(x - 31.5) < 8 && Math.abs(y - 31.5) < 8);

function picture() {
  const png = new PNG({ width: SIDE, height: SIDE });
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      png.data.set(isBlack(x, y) ? [0, 0, 0, 255] : [255, 255, 255, 255], 4 * (y * SIDE + x));
    }
  }
  return png;
}

function byReceiptline(name, options) {
  const document = `{image:${PNG.sync.write(picture()).toString("base64")}}
^^КОФЕЙНЯ ЗЕРНО
Съешь ещё этих мягких булок
Чек №118 | 21.11.2026 14:05
-
Капучино «Малый» — 2 × 129,90 | 259,80 ₽
ИТОГО | ^259,80
Начислено | "12 бонусов"
{code:${URL};option:qrcode,6,m}
=
`;
  const commands = receiptline.transform(document, { gradient: false, ...options });
  fs.writeFileSync(path.join(out, `${name}.bin`), Buffer.from(commands, "binary"));
}

function byEncoder(name, options, codepage) {
  const { data } = picture();
  const image = { data: new Uint8ClampedArray(data), width: SIDE, height: SIDE };
  const encoder = new ReceiptPrinterEncoder(options);
  encoder
    .initialize()
    .codepage(codepage)
    .align("center")
    .image(image, SIDE, SIDE, "threshold")
    .size(2, 2)
    .line("КОФЕЙНЯ ЗЕРНО")
    .size(1, 1)
    .align("left")
    .line("Съешь ещё этих мягких булок")
    .line("Чек №118  21.11.2026 14:05")
    .rule()
    .table([{ width: 20, align: "left" }, { width: 10, align: "right" }], [["Капучино «Малый» —", "259,80 ₽"]])
    .bold(true)
    .line("ИТОГО 259,80")
    .bold(false)
    .line("Начислено 12 бонусов")
    .align("center")
    .qrcode(URL, { model: 2, size: 6, errorlevel: "m" })
    .barcode("4601234567893", "ean13", { height: 60, text: true })
    .cut();
  fs.writeFileSync(path.join(out, `${name}.bin`), encoder.encode());
}

byReceiptline("receiptline-epson-48", { command: "epson", encoding: "multilingual", cpl: 48, spacing: true });
byReceiptline("receiptline-escpos-42", { command: "escpos", encoding: "multilingual", cpl: 42 });
byReceiptline("receiptline-generic-32", { command: "generic", encoding: "cp866", cpl: 32 });
byEncoder("encoder-tm-t88v-auto", { printerModel: "epson-tm-t88v", errors: "relaxed" }, "auto");
byEncoder("encoder-tm-t20iii-cp866", { printerModel: "epson-tm-t20iii", errors: "relaxed" }, "cp866");
byEncoder("encoder-pos-5890-auto", { printerModel: "pos-5890", errors: "relaxed" }, "auto");
byEncoder("encoder-columns-cp1251", { language: "esc-pos", columns: 42, imageMode: "column", errors: "relaxed" }, "windows1251");
