/** The network form: what is typed stays text until it is saved. */
import { err, ok, type Result } from "../common/result.ts";
import { LIMITS } from "../limits.ts";
import type { NetworkConfig } from "../messaging/network-config.ts";

export interface NetworkPreset extends NetworkConfig {
  readonly id: string;
}

/** Networks whose nodes a browser can reach, by the discovery lists that their operators publish. */
export const PRESETS: readonly NetworkPreset[] = [
  {
    id: "waku",
    name: "The Waku Network",
    clusterId: 1,
    shards: 8,
    bootstrap: ["enrtree://AIRVQ5DDA4FFWLRBCHJWUWOO6X6S4ZTZ5B667LQ6AJU6PEYDLRD5O@sandbox.waku.nodes.status.im"],
  },
  {
    id: "waku-test",
    name: "Waku test fleet",
    clusterId: 1,
    shards: 8,
    bootstrap: ["enrtree://AOGYWMBYOUIMOENHXCHILPKY3ZRFEULMFI4DOM442QSZ73TT2A7VI@test.waku.nodes.status.im"],
  },
];

export const CUSTOM = "custom";

export interface NetworkForm {
  /** A preset's id, or `CUSTOM`. */
  readonly preset: string;
  readonly name: string;
  readonly clusterId: string;
  readonly shards: string;
  /** One address per line. */
  readonly bootstrap: string;
}

export type NetworkField = "name" | "clusterId" | "shards" | "bootstrap";

export type FieldError =
  | { readonly key: "errorName" | "errorCluster" | "errorShards" | "errorBootstrapEmpty" }
  | { readonly key: "errorBootstrapMany"; readonly count: number }
  | { readonly key: "errorBootstrapLine" | "errorBootstrapTransport"; readonly line: number };

export type FieldErrors = Readonly<Partial<Record<NetworkField, FieldError>>>;

function sameConfig(a: NetworkConfig, b: NetworkConfig): boolean {
  return (
    a.name === b.name &&
    a.clusterId === b.clusterId &&
    a.shards === b.shards &&
    a.bootstrap.length === b.bootstrap.length &&
    a.bootstrap.every((address, i) => address === b.bootstrap[i])
  );
}

export function formOf(config: NetworkConfig): NetworkForm {
  return {
    preset: PRESETS.find((preset) => sameConfig(preset, config))?.id ?? CUSTOM,
    name: config.name,
    clusterId: String(config.clusterId),
    shards: String(config.shards),
    bootstrap: config.bootstrap.join("\n"),
  };
}

/** The form after another choice of network. `CUSTOM` starts from what stands there. */
export function choosePreset(form: NetworkForm, id: string): NetworkForm {
  const preset = PRESETS.find((candidate) => candidate.id === id);
  return preset === undefined ? { ...form, preset: CUSTOM } : formOf(preset);
}

export function sameForm(a: NetworkForm, b: NetworkForm): boolean {
  return a.name === b.name && a.clusterId === b.clusterId && a.shards === b.shards && a.bootstrap === b.bootstrap;
}

function wholeNumber(text: string, min: number, max: number): number | undefined {
  if (!/^\d{1,6}$/.test(text.trim())) return undefined;
  const value = Number(text);
  return value >= min && value <= max ? value : undefined;
}

function addressError(address: string, line: number): FieldError | undefined {
  if (/^enrtree:\/\/[A-Z2-7]+@[a-z0-9.-]+$/i.test(address)) return undefined;
  if (address.length > LIMITS.ui.addressChars || !/^(\/[^/\s]+)+\/p2p\/[1-9A-HJ-NP-Za-km-z]+$/.test(address)) {
    return { key: "errorBootstrapLine", line };
  }
  return /\/wss?\//.test(address) ? undefined : { key: "errorBootstrapTransport", line };
}

/** The network that the form describes, or what is wrong per field. Shards: 1 to 1024; a cluster id has 16 bits (51/WAKU2-RELAY-SHARDING). */
export function parseForm(form: NetworkForm): Result<NetworkConfig, FieldErrors> {
  const errors: Partial<Record<NetworkField, FieldError>> = {};
  const name = form.name.trim();
  if (name === "" || name.length > LIMITS.ui.networkNameChars) errors.name = { key: "errorName" };
  const clusterId = wholeNumber(form.clusterId, 0, 65_535);
  if (clusterId === undefined) errors.clusterId = { key: "errorCluster" };
  const shards = wholeNumber(form.shards, 1, 1_024);
  if (shards === undefined) errors.shards = { key: "errorShards" };
  const lines = form.bootstrap.split("\n").map((line) => line.trim());
  const bootstrap = [...new Set(lines.filter((line) => line !== ""))];
  const wrong = lines
    .map((line, i) => (line === "" ? undefined : addressError(line, i + 1)))
    .find((error) => error !== undefined);
  if (bootstrap.length === 0) errors.bootstrap = { key: "errorBootstrapEmpty" };
  else if (bootstrap.length > LIMITS.ui.bootstrapAddresses) {
    errors.bootstrap = { key: "errorBootstrapMany", count: LIMITS.ui.bootstrapAddresses };
  } else if (wrong !== undefined) errors.bootstrap = wrong;
  if (clusterId === undefined || shards === undefined || Object.keys(errors).length > 0) return err(errors);
  return ok({ name, clusterId, shards, bootstrap });
}
