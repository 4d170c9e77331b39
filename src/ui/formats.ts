/** How dates and origins are written. */

export interface Formats {
  /** “5 minutes ago”, “now”; both in milliseconds since the Unix epoch. A time ahead of `now` counts as now. */
  relative(at: number, now: number): string;
  /** A day, such as “29 May 2026”. */
  day(at: number): string;
  /** A day with its time. */
  moment(at: number): string;
  /** A time of day. */
  time(at: number): string;
  /** A time of day with its seconds. */
  clock(at: number): string;
  /** A short time, such as “120 ms”. */
  milliseconds(count: number): string;
  /** An amount of data, in decimal units, such as “1.2 MB”. */
  bytes(count: number): string;
}

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte"] as const;

const STEPS: readonly (readonly [unit: Intl.RelativeTimeFormatUnit, seconds: number])[] = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["week", 604_800],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

export function createFormats(locale: string, timeZone?: string): Formats {
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  const zone = timeZone === undefined ? {} : { timeZone };
  const day = new Intl.DateTimeFormat(locale, { dateStyle: "medium", ...zone });
  const time = new Intl.DateTimeFormat(locale, { timeStyle: "short", ...zone });
  const clock = new Intl.DateTimeFormat(locale, { timeStyle: "medium", ...zone });
  const milliseconds = new Intl.NumberFormat(locale, {
    style: "unit",
    unit: "millisecond",
    unitDisplay: "short",
    maximumFractionDigits: 0,
  });
  const moment = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short", ...zone });
  return {
    relative(at, now) {
      const seconds = Math.max(0, Math.floor((now - at) / 1000));
      for (const [unit, length] of STEPS) {
        if (seconds >= length) return relative.format(-Math.floor(seconds / length), unit);
      }
      return relative.format(0, "second");
    },
    day: (at) => day.format(at),
    moment: (at) => moment.format(at),
    time: (at) => time.format(at),
    clock: (at) => clock.format(at),
    milliseconds: (count) => milliseconds.format(count),
    bytes(count) {
      let step = 0;
      let value = count;
      // Rounded first, so that 999,999 bytes are a megabyte and not a thousand kilobytes.
      while (step < UNITS.length - 1 && Math.round(value) >= 1_000) {
        value /= 1_000;
        step += 1;
      }
      const maximumFractionDigits = step > 0 && value < 10 ? 1 : 0;
      const unitDisplay = step === 0 ? "long" : "short";
      return new Intl.NumberFormat(locale, {
        style: "unit",
        unit: UNITS[step] ?? "byte",
        unitDisplay,
        maximumFractionDigits,
      }).format(value);
    },
  };
}

export interface OriginParts {
  /** Such as `https://`. */
  readonly scheme: string;
  /** Everything below the part that tells sites apart at a glance; may be empty. */
  readonly before: string;
  /** The last two labels with the port, or the whole address of a machine. */
  readonly main: string;
}

/** Splits an origin for display. Nothing is left out: the parts joined are the origin. */
export function originParts(origin: string): OriginParts {
  const match = /^([a-z][a-z0-9+.-]*:\/\/)(.*)$/i.exec(origin);
  const scheme = match?.[1] ?? "";
  const host = match?.[2] ?? origin;
  const labels = host.split(".");
  if (labels.length <= 2 || /^[\d.]+(:\d+)?$/.test(host) || host.startsWith("[")) {
    return { scheme, before: "", main: host };
  }
  return { scheme, before: `${labels.slice(0, -2).join(".")}.`, main: labels.slice(-2).join(".") };
}
