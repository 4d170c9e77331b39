/**
 * Finds in a source text whatever reaches outside other than through a port: globals that are not known to be pure, and
 * imports from outside the protocol core. It lists what is pure and not what is not, so that no new API can be forgotten.
 */
import ts from "typescript";

export interface AmbientEffect {
  readonly line: number;
  /** The global, or `import` and the module. */
  readonly what: string;
}

/** Globals that neither tell anything about the world nor change it. */
const PURE = new Set([
  ...[
    "undefined",
    "NaN",
    "Infinity",
    "Array",
    "BigInt",
    "Boolean",
    "Error",
    "Map",
    "Math",
    "Number",
    "Object",
    "Promise",
  ],
  ...[
    "RangeError",
    "Set",
    "String",
    "Symbol",
    "TypeError",
    "WeakMap",
    "WeakSet",
    "JSON",
    "Reflect",
    "Proxy",
    "Iterator",
  ],
  ...["ArrayBuffer", "DataView", "Uint8Array", "Uint16Array", "Uint32Array", "Int32Array", "BigUint64Array"],
  ...["Float64Array", "TextEncoder", "TextDecoder", "structuredClone", "isNaN", "parseInt"],
]);
/** Members of pure globals that are not. */
const IMPURE_MEMBERS = new Set(["Math.random"]);
/** Packages that compute and do nothing else. */
const PURE_PACKAGES = /^@noble\//;

/** @param allowedImport whether a relative import stays inside what is scanned */
export function findAmbientEffects(
  source: string,
  allowedImport: (module: string) => boolean,
): readonly AmbientEffect[] {
  const file = ts.createSourceFile("source.ts", source, ts.ScriptTarget.Latest, true);
  const declared = new Set<string>();
  const found: AmbientEffect[] = [];
  const note = (node: ts.Node, what: string) => {
    found.push({ line: file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1, what });
  };

  const declare = (node: ts.Node): void => {
    if (isDeclaration(node) && node.name && ts.isIdentifier(node.name)) declared.add(node.name.text);
    ts.forEachChild(node, declare);
  };
  const visit = (node: ts.Node): void => {
    if (ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node) || ts.isTypeNode(node)) return;
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
      const module = node.moduleSpecifier && ts.isStringLiteral(node.moduleSpecifier) ? node.moduleSpecifier.text : "";
      const isFine = module.startsWith(".") ? allowedImport(module) : PURE_PACKAGES.test(module);
      if (module !== "" && !isTypeOnly(node) && !isFine) note(node, `import ${module}`);
      return;
    }
    if (node.kind === ts.SyntaxKind.ImportKeyword) note(node, "import()");
    if (ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword) note(node, "import.meta");
    if (ts.isPropertyAccessExpression(node) && IMPURE_MEMBERS.has(node.getText(file))) note(node, node.getText(file));
    if (ts.isIdentifier(node) && isReference(node) && !declared.has(node.text) && !PURE.has(node.text)) {
      note(node, node.text);
    }
    ts.forEachChild(node, visit);
  };
  declare(file);
  visit(file);
  return found;
}

type Named = ts.Node & { readonly name?: ts.Node };

function isDeclaration(node: ts.Node): node is Named {
  return (
    ts.isVariableDeclaration(node) ||
    ts.isParameter(node) ||
    ts.isBindingElement(node) ||
    ts.isFunctionDeclaration(node) ||
    ts.isFunctionExpression(node) ||
    ts.isClassDeclaration(node) ||
    ts.isImportSpecifier(node) ||
    ts.isImportClause(node) ||
    ts.isNamespaceImport(node)
  );
}

/** An identifier that stands for a value, and not for the name of a member, a property or a label. */
function isReference(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isBindingElement(parent)) return parent.initializer === node;
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node;
  if (ts.isPropertyDeclaration(parent)) return parent.initializer === node;
  return !(
    ts.isMethodDeclaration(parent) ||
    ts.isGetAccessorDeclaration(parent) ||
    ts.isSetAccessorDeclaration(parent) ||
    ts.isTypeParameterDeclaration(parent) ||
    ts.isLabeledStatement(parent) ||
    ts.isBreakOrContinueStatement(parent)
  );
}

function isTypeOnly(node: ts.ImportDeclaration | ts.ExportDeclaration): boolean {
  return ts.isImportDeclaration(node)
    ? node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword
    : node.isTypeOnly;
}

/** The members of an interface or of the literals of a union's `type`, as a source text declares them. */
export function declaredMembers(source: string, name: string): readonly string[] {
  const file = ts.createSourceFile("source.ts", source, ts.ScriptTarget.Latest, true);
  for (const statement of file.statements) {
    if (ts.isInterfaceDeclaration(statement) && statement.name.text === name) {
      return statement.members.map((member) => member.name?.getText(file) ?? "");
    }
    if (ts.isTypeAliasDeclaration(statement) && statement.name.text === name && ts.isUnionTypeNode(statement.type)) {
      return statement.type.types.flatMap((member) => typeLiteral(member, file));
    }
  }
  throw new Error(`the source declares no ${name}`);
}

function typeLiteral(node: ts.TypeNode, file: ts.SourceFile): string[] {
  if (!ts.isTypeLiteralNode(node)) return [];
  const member = node.members.find((one) => one.name?.getText(file) === "type");
  if (!member || !ts.isPropertySignature(member) || !member.type || !ts.isLiteralTypeNode(member.type)) return [];
  return [member.type.getText(file).replaceAll('"', "")];
}
