// The demo shop: asks /state twice a second, sends orders, shows what comes back. No framework; its only own state is the
// open basket, the language and which steps of the tour are done.

import { TEXTS } from "./texts.js";

const GOODS = [
  { key: "coffee", sku: "1", sum: 15000, categories: ["coffee"] },
  { key: "bread", sku: "2", sum: 6500, categories: ["bakery"] },
  { key: "cheese", sku: "3", sum: 78990, categories: ["dairy"] },
  { key: "cigarettes", sku: "4", sum: 22900, categories: ["tobacco"] },
];
const ASK_EVERY = 500;
const LEDGER_EVERY = 10_000; // and at once when something happened

const at = (id) => document.getElementById(id);
let language = new URLSearchParams(location.search).get("lang");
let basket = [];
let quote = null;
let latest = null;

const text = (key, values = {}) =>
  Object.entries(values).reduce((words, [name, value]) => words.replace(`{${name}}`, value), TEXTS[language][key]);
const money = (minor, zeros = "auto") => (minor / 100).toLocaleString(
  language, { style: "currency", currency: "RUB", currencyDisplay: "narrowSymbol", trailingZeroDisplay: zeros });
const points = (count) =>
  `${Number(count).toLocaleString(language)} ${TEXTS[language].points[new Intl.PluralRules(language).select(count)]}`;

function element(tag, content, attributes = {}) {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...[content].flat());
  return made;
}

function write(place, words) {
  if (place.textContent !== words) place.textContent = words; // the same again is not read aloud again
}

// ---- orders ----------------------------------------------------------------------------------------------------------

async function ask(path, options) {
  const reply = await fetch(path, options).catch(() => null);
  return reply ? reply.json() : { refused: "shop_away" };
}

async function order(what) {
  const answer = await ask("/order", {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(what),
  });
  if (answer.refused) write(at("answer"), TEXTS[language].refusals[answer.refused] ?? answer.detail);
  await refresh();
  return answer;
}

async function scan(code) {
  const answer = await order({ do: "scan", code });
  if (answer.refused) return;
  write(at("answer"), text("scanned"));
  done("scan");
  if (basket.length) setTimeout(requote, 300); // the card changes what the basket costs
}

// ---- the basket ------------------------------------------------------------------------------------------------------

const lines = () => basket.map(({ good, count }) => ({
  sku: good.sku, name: text(good.key), categories: good.categories, quantity: count * 1000, sum: count * good.sum }));

async function add(good, count) {
  const line = basket.find((one) => one.good === good);
  if (line) line.count += count; else basket.push({ good, count });
  basket = basket.filter((one) => one.count > 0);
  showBasket(null);
  await (basket.length ? requote() : order({ do: "cancel" }));
}

async function requote() {
  if (!basket.length) return;
  const answer = await order({ do: "basket", lines: lines(), redeem: at("redeem").checked });
  showBasket(basket.length && answer.quoted ? answer.quoted.quote : null);
}

function showBasket(fresh) {
  quote = fresh;
  const focused = document.activeElement.ariaLabel; // the table is made anew under the finger of who works by keyboard
  const goods = basket.map(({ good, count }) => row("td", [
    element("button", "−", { type: "button", ariaLabel: text("remove", { name: text(good.key) }), onclick: () => add(good, -1) }),
    `${text(good.key)} × ${count}`, number(money(count * good.sum))]));
  const sums = quote ? [
    ["total", money(quote.total)], ...(quote.redeemed ? [["discount", money(quote.discount + quote.pay - quote.total)]] : []),
    ["pay", money(quote.pay)], ["earns", points(quote.earned)]] : [];
  at("basket").replaceChildren(
    element("tbody", goods), element("tfoot", sums.map(([key, value]) => row("td", ["", text(key), number(value)]))));
  if (focused) at("basket").querySelector(`[aria-label="${focused}"]`)?.focus();
  for (const button of ["sell", "cancel"]) at(button).disabled = !basket.length;
}

async function sell() {
  at("sell").disabled = true;
  const answer = await order({ do: "sell", lines: lines(), redeem: at("redeem").checked });
  if (answer.refused) return showBasket(quote);
  write(at("answer"), text("sold", { number: answer.number, earned: points(answer.sold.earned) }));
  done("sell");
  if (!latest.cable) done("offline");
  empty();
  at("cards").firstChild.focus({ preventScroll: true }); // the next customer
}

function empty() {
  basket = [];
  at("redeem").checked = false;
  showBasket(null);
}

// ---- trouble ---------------------------------------------------------------------------------------------------------

async function kill() {
  at("kill").disabled = true;
  write(at("answer"), text("killed"));
  done("kill");
  const answer = await order({ do: "kill" });
  if (!answer.refused) write(at("answer"), text("back"));
  at("kill").disabled = false;
}

// ---- what is shown ---------------------------------------------------------------------------------------------------

const number = (words) => element("td", words, { className: "number" });

function row(tag, cells) {
  return element("tr", cells.map((cell) => (cell instanceof HTMLTableCellElement ? cell : element(tag, cell))));
}

function done(step) {
  at(`step-${step}`).classList.add("done");
}

function speak() {
  document.documentElement.lang = language;
  for (const place of document.querySelectorAll("[data-text]")) write(place, text(place.dataset.text));
  write(at("language"), text("language"));
  at("language").lang = language === "ru" ? "en" : "ru";
  at("screen").title = text("screen_title");
  const finished = new Set([...document.querySelectorAll(".done")].map((one) => one.id));
  at("steps").replaceChildren(...Object.entries(TEXTS[language].steps).map(([key, [title, what]]) =>
    element("li", [element("b", title), element("span", what)], { id: `step-${key}`, className: finished.has(`step-${key}`) ? "done" : "" })));
  at("goods").replaceChildren(...GOODS.map((good) =>
    element("button", `${text(good.key)} ${money(good.sum, "stripIfInteger")}`, { type: "button", onclick: () => add(good, 1) })));
  at("roll").replaceChildren();
  showBasket(quote);
}

const ORDER = ["network", "queue", "printer", "scanner"]; // others only when there is something to say

function showParts(state) {
  const parts = state.agent
    ? state.parts.filter((one) => ORDER.includes(one.part) || one.state !== "ok")
      .toSorted((one, other) => ORDER.indexOf(one.part) - ORDER.indexOf(other.part))
    : [{ state: "down", text: { [language]: text("agent_down") } }];
  const key = JSON.stringify([language, parts]);
  if (at("parts").dataset.key === key) return;
  at("parts").dataset.key = key;
  at("parts").replaceChildren(...parts.map((part) => element("li", part.text[language], { className: part.state })));
}

function toggle(button, on, whenOn, whenOff) {
  button.classList.toggle("broken", !on);
  write(button, text(on ? whenOn : whenOff));
}

function showCodes(codes) {
  const last = codes.at(-1);
  const words = last ? `${text("sms", { phone: last.phone })} ${last.code}` : text("no_codes");
  if (at("codes").textContent === words) return;
  at("codes").replaceChildren(...(last ? [`${text("sms", { phone: last.phone })} `, element("b", last.code)] : [words]));
}

function showRoll(receipts) {
  at("no-paper").hidden = receipts.length > 0;
  for (const receipt of receipts.filter((one) => !at(`receipt-${one.number}`))) at("roll").prepend(paper(receipt));
  while (at("roll").children.length > receipts.length) at("roll").lastChild.remove();
}

function paper({ number, text: words, url }) {
  const src = `/receipts/${number}.png`;
  const picture = element("img", [], { src, alt: words });
  const link = element("a", picture, { href: src, target: "_blank", title: text("large", { number }) });
  const button = element("button", text("enrol"), { type: "button", onclick: () => enrol(url) });
  return element("figure", url ? [link, button] : [link], { id: `receipt-${number}` });
}

function enrol(url) {
  done("enrol");
  open(url, "_blank", "noopener,popup,width=400,height=760");
}

// ---- the ledger ------------------------------------------------------------------------------------------------------

const NUMBERS = new Set([2, 4, 5]); // columns
let booksAsked = null; // what the shop looked like when the ledger was asked for
let reading = false;

async function showLedger() {
  if (reading) return;
  reading = true;
  const { rows, books } = await ask("/ledger");
  reading = false;
  if (!rows) return;
  const verdict = books.agree ? "agree" : books.surplus.length ? "differ" : "waiting";
  write(at("agree"), text(verdict, { ...books, missing: books.missing.length, surplus: books.surplus.join(", ") }));
  at("agree").className = verdict;
  if (verdict === "agree" && at("step-offline").classList.contains("done") && latest.cable) done("agree");
  const head = text("columns").map((word, place) => element("th", word, { scope: "col", className: NUMBERS.has(place) ? "number" : "" }));
  at("ledger").replaceChildren(element("thead", row("th", head)), element("tbody", rows.toReversed().map((one) => row("td", [
    one.number || "—", text("kinds")[one.kind], number(one.kind ? Number(one.points).toLocaleString(language) : ""),
    one.member && (one.name || text("newcomer")), number(one.total && money(one.total)), number(one.pay && money(one.pay))]))));
}

function showLedgerIfNews(state) {
  const queue = state.parts.find((part) => part.part === "queue");
  const key = JSON.stringify([language, state.sold, state.cable, state.agent, state.codes.length, queue?.text]);
  if (key === booksAsked) return;
  booksAsked = key;
  showLedger();
}

// ---- the pulse -------------------------------------------------------------------------------------------------------

function show(state) {
  latest = state;
  showParts(state);
  toggle(at("cable"), state.cable, "pull", "plug");
  toggle(at("paper"), state.paper !== "out", "paper_out", "paper_in");
  showCodes(state.codes);
  showRoll(state.receipts);
  showLedgerIfNews(state);
}

async function refresh() {
  const state = await ask("/state");
  if (state.refused) write(at("answer"), TEXTS[language].refusals[state.refused]);
  else show(state);
}

function switchLanguage() {
  language = language === "ru" ? "en" : "ru";
  write(at("answer"), "");
  speak();
  show(latest);
  showTill();
}

function showTill() {
  const page = `${latest.till_page}?lang=${language}`;
  at("screen").src = page;
  at("own-tab").href = page;
}

async function pairScreen() {
  const { url } = await order({ do: "screen" });
  if (!url) return;
  const pair = new URL(url);
  pair.searchParams.set("lang", language);
  at("screen").src = pair;
}

at("sell").onclick = sell;
at("redeem").onchange = requote;
at("cancel").onclick = () => { empty(); order({ do: "cancel" }); };
at("cable").onclick = () => order({ do: "cable", on: !latest.cable });
at("paper").onclick = () => { if (latest.paper === "out") done("paper"); order({ do: "paper", on: latest.paper === "out" }); };
at("kill").onclick = kill;
at("typed").onsubmit = (event) => {
  event.preventDefault();
  const code = new FormData(event.target).get("code");
  scan(/^[\d\s]+$/.test(code) ? code.replace(/\s/g, "") : code); // a card's number is shown in groups
  event.target.reset();
};
at("language").onclick = switchLanguage;
new ResizeObserver(([{ contentRect }]) => { at("screen").style.transform = `scale(${contentRect.width / 1024})`; })
  .observe(at("screen").parentElement);

const first = await ask("/state");
language = language in TEXTS ? language : first.language;
at("cards").replaceChildren(...first.cards.map(({ code, name }) =>
  element("button", [element("b", name), ` ${code}`], { type: "button", onclick: () => scan(code) })));
speak();
show(first);
at("own-tab").href = `${first.till_page}?lang=${language}`;
pairScreen();
setInterval(refresh, ASK_EVERY);
setInterval(showLedger, LEDGER_EVERY);
addEventListener("focus", showLedger);
