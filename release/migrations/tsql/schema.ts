/**
 * What the scripts of a bundle say about the schema, one after the other: the parameters of procedures and functions, and
 * the columns of tables. What was made elsewhere is not known, and nothing is said about it.
 */
import type { Column, ColumnType } from "./elements";
import type { ObjectName } from "./object-name";

export interface Parameter {
  readonly name: string;
  readonly hasDefault: boolean;
}

export interface KnownColumn {
  readonly type: ColumnType | null;
  readonly notNull: boolean;
  /** As in `Column`. */
  readonly defaultName: string | null | undefined;
}

export class Schema {
  private readonly parameters = new Map<string, readonly Parameter[]>();
  private readonly columns = new Map<string, KnownColumn>();

  parametersOf(module: ObjectName): readonly Parameter[] | null {
    return this.parameters.get(module.key) ?? null;
  }

  setParameters(module: ObjectName, parameters: readonly Parameter[]): void {
    this.parameters.set(module.key, parameters);
  }

  column(table: ObjectName, column: string): KnownColumn | null {
    return this.columns.get(`${table.key}.${column}`) ?? null;
  }

  setColumn(table: ObjectName, { name, ...known }: Pick<Column, "name" | keyof KnownColumn>): void {
    this.columns.set(`${table.key}.${name}`, known);
  }
}

const LENGTHS = /^(?:n?varchar|varbinary)$/;

/** Whether a column takes all that it took: the same type, at least as long, and NULL where it was allowed. */
export function isWider(from: KnownColumn, to: Pick<KnownColumn, "type" | "notNull">): boolean {
  if (from.type === null || to.type === null || from.type.name !== to.type.name) return false;
  if (to.notNull && !from.notNull) return false;
  if (!LENGTHS.test(to.type.name)) return from.type.sizes.join() === to.type.sizes.join();
  return length(from.type) <= length(to.type);
}

function length({ sizes: [size = "1"] }: ColumnType): number {
  return size === "max" ? Infinity : Number(size);
}
