/** The network form: what is typed stays text until it is saved. */
import { err, ok, type Result } from "../common/result.ts";
import { LIMITS } from "../limits.ts";
import type { NetworkConfig } from "../messaging/network-config.ts";
import { NETWORK_PRESETS } from "../messaging/network-presets.ts";

/** Preset networks by id. One without addresses is a frame: its addresses are typed in. */
export const PRESETS: ReadonlyMap<string, NetworkConfig> = new Map(Object.entries(NETWORK_PRESETS));

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

function isPreset(preset: NetworkConfig, config: NetworkConfig): boolean {
  return (
    preset.name === config.name &&
    preset.clusterId === config.clusterId &&
    preset.shards === config.shards &&
    (preset.bootstrap.length === 0 || preset.bootstrap.join("\n") === config.bootstrap.join("\n"))
  );
}

export function formOf(config: NetworkConfig): NetworkForm {
  const preset = [...PRESETS].find(([, candidate]) => isPreset(candidate, config));
  return {
    preset: preset?.[0] ?? CUSTOM,
    name: config.name,
    clusterId: String(config.clusterId),
    shards: String(config.shards),
    bootstrap: config.bootstrap.join("\n"),
  };
}

/** The form after another choice of network. `CUSTOM` starts from what stands there. */
export function choosePreset(form: NetworkForm, id: string): NetworkForm {
  const preset = PRESETS.get(id);
  return preset === undefined ? { ...form, preset: CUSTOM } : { ...formOf(preset), preset: id };
}

/** Which fields are open to typing: all of a custom network, the addresses of a preset that has none. */
export function openFields(form: NetworkForm): "all" | "bootstrap" | "none" {
  const preset = PRESETS.get(form.preset);
  if (preset === undefined) return "all";
  return preset.bootstrap.length === 0 ? "bootstrap" : "none";
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
  if (address.length > LIMITS.ui.addressChars || !/^(\/[^/\s]+)+$/.test(address)) {
    return { key: "errorBootstrapLine", line };
  }
  return /\/wss?(\/|$)/.test(address) ? undefined : { key: "errorBootstrapTransport", line };
}

/** The network that the form describes, or what is wrong per field. */
export function parseForm(form: NetworkForm): Result<NetworkConfig, FieldErrors> {
  const errors: Partial<Record<NetworkField, FieldError>> = {};
  const name = form.name.trim();
  if (name === "" || name.length > LIMITS.ui.networkNameChars) errors.name = { key: "errorName" };
  const clusterId = wholeNumber(form.clusterId, 0, LIMITS.ui.clusterId);
  if (clusterId === undefined) errors.clusterId = { key: "errorCluster" };
  const shards = wholeNumber(form.shards, 1, LIMITS.ui.shards);
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
