// Which language the page speaks: the one of the address, else the browser's; English or Chinese.

import { scale as scaleEn, words as en } from "./words-en.js";
import { scale as scaleZh, words as zh } from "./words-zh.js";

const LANGUAGES = {
  en: { words: en, scale: scaleEn, locale: "en-GB", tag: "en" },
  zh: { words: zh, scale: scaleZh, locale: "zh-CN", tag: "zh-CN" },
};

function choose() {
  const wanted = [new URLSearchParams(location.search).get("lang"), ...navigator.languages];
  const known = wanted.map((tag) => tag?.toLowerCase().split("-")[0]).find((tag) => tag in LANGUAGES);
  return known ?? "en";
}

export const language = choose();
export const { scale, locale } = LANGUAGES[language];

/** A text in the page's language, with its {braces} filled in. */
export function word(key, values = {}) {
  const text = LANGUAGES[language].words[key];
  if (text === undefined) throw new Error(`no word ${key}`);
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** Put the words where the page's elements ask for them. */
export function speak() {
  document.documentElement.lang = LANGUAGES[language].tag;
  document.title = word("title");
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = word(element.dataset.word);
  for (const element of document.querySelectorAll("[data-hint]")) element.placeholder = word(element.dataset.hint);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", word(element.dataset.label));
}
