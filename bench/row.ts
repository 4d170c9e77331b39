/** One line of the table. */

export interface Row {
  readonly what: string;
  /** Ours, with its unit: "µs", "ms", "B", "kB gzip". */
  readonly ours: number;
  readonly unit: string;
  /** Who it is compared with, and its number in the same unit. */
  readonly peer?: { readonly name: string; readonly value: number };
  /** Above 1: so many times better than the peer. */
  readonly ratio?: number;
  readonly goal: string;
  readonly met: boolean;
  readonly note?: string;
}

/** A goal: at least so many times better than the peer. */
export function atLeast(ratio: number, wanted: number): Pick<Row, "ratio" | "goal" | "met"> {
  return { ratio, goal: `≥ ${wanted}×`, met: ratio >= wanted };
}

/** A goal: at most so much, in the unit of the row. */
export function atMost(value: number, wanted: number, unit: string): Pick<Row, "goal" | "met"> {
  return { goal: `≤ ${wanted} ${unit}`, met: value <= wanted };
}

const HEAD = ["what", "ours", "peer", "ratio", "goal", ""] as const;

/** The rows as a table of plain text. */
export function tableOf(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    row.what,
    `${figures(row.ours)} ${row.unit}`,
    row.peer === undefined ? "—" : `${figures(row.peer.value)} ${row.unit} (${row.peer.name})`,
    row.ratio === undefined ? "—" : `${figures(row.ratio)}×`,
    row.goal,
    (row.met ? "met" : "MISSED") + (row.note === undefined ? "" : `; ${row.note}`),
  ]);
  const widths = HEAD.map((head, column) => Math.max(head.length, ...cells.map((line) => line[column]?.length ?? 0)));
  const lineOf = (line: readonly string[]) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ");
  return [HEAD, widths.map((width) => "─".repeat(width)), ...cells]
    .map((line) => `${lineOf(line).trimEnd()}\n`)
    .join("");
}

/** Three significant figures, without an exponent. */
function figures(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en");
  return Number(value.toPrecision(3)).toString();
}
