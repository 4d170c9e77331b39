/** `Uint8Array` in hexadecimal, which every browser has that the extension runs in, and Node.js before 25 does not. */
export function provideHexadecimal(): void {
  const prototype: object = Uint8Array.prototype;
  if ("toHex" in prototype) return;
  const method = (value: unknown) => ({ value, writable: true, configurable: true });
  Object.defineProperties(prototype, {
    toHex: method(function toHex(this: Uint8Array): string {
      let hex = "";
      for (const byte of this) hex += byte.toString(16).padStart(2, "0");
      return hex;
    }),
    setFromHex: method(function setFromHex(this: Uint8Array, hex: string): { read: number; written: number } {
      if (hex.length % 2 !== 0 || /[^\da-f]/i.test(hex)) throw new SyntaxError("This is not hexadecimal.");
      const written = Math.min(hex.length / 2, this.length);
      for (let i = 0; i < written; i++) this[i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16);
      return { read: 2 * written, written };
    }),
  });
}
