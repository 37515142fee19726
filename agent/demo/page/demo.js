// The demo shop: asks /state twice a second, sends orders, shows what comes back. No framework, no state of its own
// except the open basket.

const TEXTS = {
  en: {
    title: "the shop on one machine", counter: "Counter", scan: "Scan a member card", code: "or any other code",
    scan_button: "Scan", goods: "Goods", redeem: "pay with points as far as possible", sell: "Take money, close receipt",
    cancel: "Cancel", trouble: "Trouble", kill: "kill -9 the agent", screen: "The cashier's screen", own_tab: "own tab",
    ledger: "The server's ledger", paper: "Paper from the printer", pull: "Pull the network cable",
    plug: "Put the cable back", paper_out: "Let the paper run out", paper_in: "Change the roll",
    enrol: "Scan the QR with a phone", no_qr: "no QR on this receipt", codes: "Codes sent to phones", total: "Total",
    pay: "To pay", earns: "Earns", coffee: "Coffee", bread: "Bread", cheese: "Cheese", cigarettes: "Cigarettes", language: "По-русски",
    columns: ["receipt", "entry", "points", "member", "total", "paid", "row"],
    kinds: { opening: "opening", earn: "earned", redeem: "spent", "": "without a card" },
    no_rows: "nothing booked yet", sold: "Sold. Points earned:", offline: "out of reach",
  },
  ru: {
    title: "весь магазин на одной машине", counter: "Прилавок", scan: "Сканировать карту", code: "или любой другой код",
    scan_button: "Сканировать", goods: "Товары", redeem: "оплатить баллами, сколько можно", sell: "Принять деньги, закрыть чек",
    cancel: "Отменить", trouble: "Неприятности", kill: "kill -9 агенту", screen: "Экран кассира", own_tab: "в своей вкладке",
    ledger: "Журнал сервера", paper: "Бумага из принтера", pull: "Выдернуть сетевой кабель",
    plug: "Вернуть кабель", paper_out: "Пусть кончится бумага", paper_in: "Сменить рулон",
    enrol: "Сканировать QR телефоном", no_qr: "на этом чеке нет QR", codes: "Коды, отправленные на телефоны", total: "Итого",
    pay: "К оплате", earns: "Начислим", coffee: "Кофе", bread: "Хлеб", cheese: "Сыр", cigarettes: "Сигареты", language: "In English",
    columns: ["чек", "запись", "баллы", "участник", "сумма", "оплачено", "строка"],
    kinds: { opening: "остаток", earn: "начислено", redeem: "списано", "": "без карты" },
    no_rows: "пока ничего не записано", sold: "Продано. Начислено:", offline: "недоступен",
  },
};
const GOODS = [
  { key: "coffee", sku: "1", sum: 15000, categories: ["coffee"] },
  { key: "bread", sku: "2", sum: 6500, categories: ["bakery"] },
  { key: "cheese", sku: "3", sum: 78990, categories: ["dairy"] },
  { key: "cigarettes", sku: "4", sum: 22900, categories: ["tobacco"] },
];

const at = (id) => document.getElementById(id);
const money = (minor) => (minor / 100).toLocaleString(language, { minimumFractionDigits: 2 });
let language = new URLSearchParams(location.search).get("lang") ?? "";
let basket = [];
let shown = "";
let latest = null;

const text = (key) => TEXTS[language][key];

function element(tag, words, attributes = {}) {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(words);
  return made;
}

async function order(what) {
  const reply = await fetch("/order", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(what) });
  const answer = await reply.json();
  at("answer").textContent = answer.refused ?? (answer.sold ? `${text("sold")} ${answer.sold.earned}` : "");
  await refresh();
  return answer;
}

function speak() {
  document.documentElement.lang = language;
  for (const place of document.querySelectorAll("[data-text]")) place.textContent = text(place.dataset.text);
  at("language").textContent = text("language");
  at("goods").replaceChildren(...GOODS.map((good) =>
    element("button", `${text(good.key)} ${money(good.sum)}`, { type: "button", onclick: () => add(good) })));
  showBasket(null);
}

function lines() {
  return basket.map(({ good, count }) => ({
    sku: good.sku, name: text(good.key), categories: good.categories, quantity: count * 1000, sum: count * good.sum }));
}

async function add(good) {
  const line = basket.find((one) => one.good === good);
  if (line) line.count += 1; else basket.push({ good, count: 1 });
  await requote();
}

async function requote() {
  if (!basket.length) return showBasket(null);
  const answer = await order({ do: "basket", lines: lines(), redeem: at("redeem").checked });
  showBasket(answer.quoted?.quote ?? null);
}

function showBasket(quote) {
  const row = (name, value) => {
    const made = element("tr", "");
    made.append(element("td", name), element("td", value, { className: "number" }));
    return made;
  };
  at("basket").replaceChildren(...lines().map((line) => row(`${line.name} × ${line.quantity / 1000}`, money(line.sum))));
  at("quote").replaceChildren(...(quote ? [
    row(text("total"), money(quote.total)), row(text("pay"), money(quote.pay)), row(text("earns"), quote.earned)] : []));
}

async function sell() {
  if (!basket.length) return;
  const answer = await order({ do: "sell", lines: lines(), redeem: at("redeem").checked });
  if (answer.refused) return;
  basket = [];
  at("redeem").checked = false;
  showBasket(null);
  setTimeout(showLedger, 2000);
}

function showRoll(receipts) {
  const key = receipts.join();
  if (key === shown) return;
  shown = key;
  at("roll").replaceChildren(...receipts.toReversed().map((number) => {
    const figure = element("figure", element("img", "", { src: `/receipts/${Number(number)}.png`, alt: `${text("paper")} ${number}` }));
    figure.append(element("button", text("enrol"), { type: "button", onclick: (event) => enrol(event.target, number) }));
    return figure;
  }));
}

async function enrol(button, number) {
  const { url } = await (await fetch(`/receipts/${Number(number)}/qr`)).json();
  if (url) window.open(url, "_blank", "noopener"); else button.textContent = text("no_qr");
}

async function showLedger() {
  const rows = await (await fetch("/ledger")).json();
  if (!rows.length) return at("ledger").replaceChildren(element("caption", text("no_rows")));
  const row = (tag, words) => { const made = element("tr", ""); made.append(...words.map((word) => element(tag, word))); return made; };
  at("ledger").replaceChildren(row("th", text("columns")), ...rows.toReversed().map((one) => row("td", [
    one.number || "—", text("kinds")[one.kind], one.kind ? one.points : "", one.member.slice(0, 6), one.total && money(one.total),
    one.pay && money(one.pay), one.seq])));
}

function toggle(button, on, whenOn, whenOff) {
  button.setAttribute("aria-pressed", String(!on));
  button.textContent = text(on ? whenOn : whenOff);
}

function show(state) {
  latest = state;
  at("parts").replaceChildren(...state.parts.map((part) => element("li", part.text[language], { className: part.state })));
  toggle(at("cable"), state.cable, "pull", "plug");
  toggle(at("paper"), state.printer.paper !== "out", "paper_out", "paper_in");
  at("codes").textContent = state.codes.length
    ? `${text("codes")}: ${state.codes.map((one) => `${one.phone} → ${one.code}`).join(", ")}` : "";
  showRoll(state.receipts);
}

async function refresh() {
  try {
    show(await (await fetch("/state")).json());
  } catch {
    at("answer").textContent = text("offline");
  }
}

at("sell").onclick = sell;
at("redeem").onchange = requote;
at("cancel").onclick = () => { basket = []; showBasket(null); order({ do: "cancel" }); };
at("cable").onclick = () => order({ do: "cable", on: !latest.cable });
at("paper").onclick = () => order({ do: "paper", on: latest.printer.paper === "out" });
at("kill").onclick = () => order({ do: "kill" });
at("typed").onsubmit = (event) => {
  event.preventDefault();
  order({ do: "scan", code: new FormData(event.target).get("code") });
  event.target.reset();
};
at("language").onclick = () => { language = language === "ru" ? "en" : "ru"; speak(); shown = ""; show(latest); };

function fit() {
  at("screen").style.transform = `scale(${at("screen").parentElement.clientWidth / 1024})`;
}

const first = await (await fetch("/state")).json();
language ||= first.language;
at("screen").src = first.cashier_page;
at("screen-link").href = first.cashier_page;
at("cards").replaceChildren(...first.cards.map((card) =>
  element("button", card, { type: "button", onclick: () => order({ do: "scan", code: card }) })));
addEventListener("resize", fit);
fit();
speak();
show(first);
showLedger();
setInterval(refresh, 500);
setInterval(showLedger, 5000);
