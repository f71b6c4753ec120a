// A register as a row of digit wheels. It only ever turns forward.

import { make } from "./elements.js";
import { full } from "./format.js";

const WHEEL = 10;
/** More digits than this are drawn smaller, so that they fit a phone. */
const NARROW_FROM = 16;

/** Whether decimal string `a` is the greater number. */
export function greater(a, b) {
  return a.length === b.length ? a > b : a.length > b.length;
}

/** One odometer in an element; `show` takes a decimal string. */
export class Odometer {
  constructor(host, unit) {
    this.host = host;
    this.unit = unit;
    this.value = null;
    this.wheels = [];
  }

  /** Turn to a value; a lower one than is shown (another reader's older answer) is passed over. */
  show(value) {
    if (this.value !== null && !greater(value, this.value)) return;
    this.value = value;
    const digits = [...value];
    if (this.wheels.length !== digits.length) this.build(digits.length);
    digits.forEach((digit, index) => turn(this.wheels[index], Number(digit)));
    this.host.querySelector(".unseen").textContent = `${full(value)} ${this.unit}`;
    this.host.title = `${full(value)} ${this.unit}`;
  }

  build(length) {
    this.wheels = Array.from({ length }, () => {
      // Twice ten digits, so that a wheel passes from 9 to 0 by going on, not back.
      const strip = make("span", { class: "strip" });
      for (let digit = 0; digit < 2 * WHEEL; digit += 1) strip.append(make("i", {}, String(digit % WHEEL)));
      const wheel = make("span", { class: "wheel" }, strip);
      strip.addEventListener("transitionend", () => settle(wheel));
      return wheel;
    });
    const size = length > NARROW_FROM ? "odometer narrow" : "odometer";
    const row = make("span", { class: size, "aria-hidden": "true" });
    this.wheels.forEach((wheel, index) => {
      if (index > 0 && (length - index) % 3 === 0) row.append(make("span", { class: "gap" }));
      row.append(wheel);
    });
    this.host.replaceChildren(row, make("span", { class: "unseen" }));
  }
}

function turn(wheel, digit) {
  const before = Number(wheel.dataset.digit ?? digit) % WHEEL;
  if (Number(wheel.dataset.digit) >= WHEEL) settle(wheel);
  wheel.dataset.digit = String(digit < before ? digit + WHEEL : digit);
  place(wheel);
}

/** Go back ten digits unseen, once a wheel has passed its 9. */
function settle(wheel) {
  const digit = Number(wheel.dataset.digit);
  if (digit < WHEEL) return;
  const strip = wheel.firstChild;
  strip.classList.add("still");
  wheel.dataset.digit = String(digit % WHEEL);
  place(wheel);
  strip.getBoundingClientRect();
  strip.classList.remove("still");
}

function place(wheel) {
  wheel.firstChild.style.transform = `translateY(${(-100 * Number(wheel.dataset.digit)) / (2 * WHEEL)}%)`;
}
