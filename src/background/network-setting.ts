/** The person's choice of network, in `storage.local`. */
import * as v from "valibot";
import { err, ok, type Result } from "../common/result.ts";
import { LIMITS } from "../limits.ts";
import { NETWORK_SETTING, type NetworkConfig } from "../messaging/network-config.ts";
import { DEFAULT_NETWORK } from "../messaging/network-presets.ts";

const { addressChars, bootstrapAddresses, clusterId, networkNameChars, shards } = LIMITS.ui;
const { epochMaxMessages, epochMaxSeconds } = LIMITS.rateLimit;

const count = (what: string, min: number, max: number) => {
  const message = `${what} is a whole number from ${min} to ${max}`;
  return v.pipe(v.number(message), v.safeInteger(message), v.minValue(min, message), v.maxValue(max, message));
};

const networkConfig = v.object({
  name: v.pipe(v.string(), v.nonEmpty(), v.maxLength(networkNameChars)),
  clusterId: v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(clusterId)),
  shards: v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(shards)),
  bootstrap: v.pipe(
    v.array(
      v.pipe(
        v.string(),
        v.maxLength(addressChars, `a bootstrap peer has ${addressChars} characters at most`),
        v.regex(/^(\/|enrtree:\/\/)/, "a bootstrap peer begins with / or enrtree://"),
      ),
    ),
    v.maxLength(bootstrapAddresses, `a network has ${bootstrapAddresses} bootstrap peers at most`),
  ),
  rateLimit: v.exactOptional(
    v.object({
      enabled: v.boolean(),
      // LIP-173: an epoch of no length is refused, and a budget of 0 is not.
      epochSeconds: count("the period of the rate limit in seconds", 1, epochMaxSeconds),
      messagesPerEpoch: count("the messages of an epoch", 0, epochMaxMessages),
    }),
  ),
});

/** `storage.local`, as far as it is used. */
export interface SettingsArea {
  get(key: string): Promise<Record<string, unknown>>;
  set(items: Record<string, unknown>): Promise<void>;
}

/** The stored network, or the default where none is stored or what is stored makes no sense. */
export async function readNetwork(area: SettingsArea): Promise<NetworkConfig> {
  const { [NETWORK_SETTING]: stored } = await area.get(NETWORK_SETTING);
  const parsed = v.safeParse(networkConfig, stored);
  return parsed.success ? parsed.output : DEFAULT_NETWORK;
}

export async function writeNetwork(area: SettingsArea, config: NetworkConfig): Promise<Result<void>> {
  const parsed = v.safeParse(networkConfig, config);
  if (!parsed.success) return err(parsed.issues[0].message);
  await area.set({ [NETWORK_SETTING]: parsed.output });
  return ok(undefined);
}
