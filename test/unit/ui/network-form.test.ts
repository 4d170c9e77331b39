import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../src/limits.ts";
import {
  CUSTOM,
  choosePreset,
  formOf,
  type NetworkForm,
  openFields,
  PRESETS,
  parseForm,
  sameForm,
} from "../../../src/ui/network-form.ts";

const PEER = "16Uiu2HAmB6JQpewXScGoQ2syqmimbe4GviLxRwfsR8dCpwaGBPSE";
const CUSTOM_CONFIG = {
  name: "home",
  clusterId: 42,
  shards: 4,
  bootstrap: [`/dns4/node.example/tcp/443/wss/p2p/${PEER}`, `/ip4/127.0.0.1/tcp/8645/ws/p2p/${PEER}`],
};
const FORM = formOf(CUSTOM_CONFIG);

describe("the network form", () => {
  it("shows a configuration and reads the same one back", () => {
    expect(FORM.preset).toBe(CUSTOM);
    expect(parseForm(FORM)).toEqual({ ok: true, value: CUSTOM_CONFIG });
  });

  it("knows the presets by what they say, and every one with addresses can be saved", () => {
    expect(PRESETS.size).toBeGreaterThan(0);
    for (const [id, preset] of PRESETS) {
      expect(formOf(preset).preset).toBe(id);
      expect(parseForm(formOf(preset)).ok).toBe(preset.bootstrap.length > 0);
    }
  });

  it("asks for the addresses of a preset that has none, and keeps the preset", () => {
    const [id] = [...PRESETS].find(([, { bootstrap }]) => bootstrap.length === 0) ?? [];
    if (id === undefined) throw new Error("Every preset has addresses");
    const form = choosePreset(FORM, id);
    expect(openFields(form)).toBe("bootstrap");
    const parsed = parseForm({ ...form, bootstrap: FORM.bootstrap });
    if (!parsed.ok) throw new Error("The form was refused");
    expect(formOf(parsed.value).preset).toBe(id);
  });

  it("starts a custom network from what stands there", () => {
    const [id, preset] = [...PRESETS].find(([, { bootstrap }]) => bootstrap.length > 0) ?? [];
    if (id === undefined || preset === undefined) throw new Error("No preset has addresses");
    const chosen = choosePreset(FORM, id);
    expect(openFields(chosen)).toBe("none");
    const custom = choosePreset(chosen, CUSTOM);
    expect(openFields(custom)).toBe("all");
    expect(sameForm(custom, chosen)).toBe(true);
  });

  it("forgives blank lines, spaces and repeated addresses", () => {
    const [first = ""] = CUSTOM_CONFIG.bootstrap;
    expect(parseForm({ ...FORM, name: "  home ", bootstrap: `\n  ${first}  \n\n${first}\n` })).toEqual({
      ok: true,
      value: { ...CUSTOM_CONFIG, bootstrap: [first] },
    });
  });

  it.each<[Partial<NetworkForm>, object]>([
    [{ name: " " }, { name: { key: "errorName" } }],
    [{ name: "x".repeat(LIMITS.ui.networkNameChars + 1) }, { name: { key: "errorName" } }],
    [{ clusterId: "" }, { clusterId: { key: "errorCluster" } }],
    [{ clusterId: "65536" }, { clusterId: { key: "errorCluster" } }],
    [{ clusterId: "-1" }, { clusterId: { key: "errorCluster" } }],
    [{ clusterId: "1.5" }, { clusterId: { key: "errorCluster" } }],
    [{ clusterId: "1e3" }, { clusterId: { key: "errorCluster" } }],
    [{ shards: "0" }, { shards: { key: "errorShards" } }],
    [{ shards: "1025" }, { shards: { key: "errorShards" } }],
    [{ bootstrap: " \n " }, { bootstrap: { key: "errorBootstrapEmpty" } }],
    [{ bootstrap: "node.example" }, { bootstrap: { key: "errorBootstrapLine", line: 1 } }],
    [{ bootstrap: "/ip4/1.2.3.4/tcp/1/ws\nwss://x" }, { bootstrap: { key: "errorBootstrapLine", line: 2 } }],
    [{ bootstrap: "enrtree://x" }, { bootstrap: { key: "errorBootstrapLine", line: 1 } }],
    [{ bootstrap: `\n/ip4/1.2.3.4/tcp/30303/p2p/${PEER}` }, { bootstrap: { key: "errorBootstrapTransport", line: 2 } }],
    [
      { bootstrap: Array.from({ length: 33 }, (_, i) => `/ip4/127.0.0.1/tcp/${i + 1}/ws`).join("\n") },
      { bootstrap: { key: "errorBootstrapMany", count: LIMITS.ui.bootstrapAddresses } },
    ],
  ])("says per field what is wrong: %o", (change, error) => {
    expect(parseForm({ ...FORM, ...change })).toEqual({ ok: false, error });
  });
});
