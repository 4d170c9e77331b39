/** The cipher of each mode of encryption, as channels ask for it. */
import type { CipherFor } from "../channel/reliable-channel-manager.ts";
import { KeyCipher } from "../encryption/key-cipher.ts";
import { none } from "../encryption/none.ts";
import { PageCipher } from "../encryption/page-cipher.ts";
import type { KeyStore } from "../keys/key-store.ts";
import type { CipherPages } from "../provider/cipher-pages.ts";

export function ciphers(keys: Pick<KeyStore, "channelKeys">, pages: CipherPages): CipherFor {
  return (mode, marker, ids, channel) => {
    const channelKeys = keys.channelKeys(ids);
    switch (mode) {
      case "none":
        return none;
      case "key":
        return new KeyCipher({ keys: channelKeys, marker });
      case "page":
        return new PageCipher({
          // While the vault is locked nothing is read and nothing written, with whatever key.
          unavailable: () => channelKeys.unavailable() ?? pages.unavailable(channel),
          call: (operation, input) => pages.call(channel, operation, input),
        });
    }
  };
}
