/** A result set as tokens: COLMETADATA, and a ROW for each row (MS-TDS 2.2.7.4, 2.2.7.19). */
import { shortText, uint16, uint32, uint64, uint8 } from "./bytes";
import { COLLATION } from "./tokens";

type ColumnType = "int" | "bigint" | "nvarchar" | "bit";
type CellValue = string | number | bigint | boolean | null;

export interface ResultSet {
  readonly columns: readonly { readonly name: string; readonly type: ColumnType }[];
  readonly values: readonly (readonly CellValue[])[];
}

const TOKEN = { columns: 0x81, row: 0xd1 };
const TYPE = { intN: 0x26, bitN: 0x68, nvarchar: 0xe7 };
const NULLABLE = 0x0001;
/** Units of UTF-16. Longer texts are sent as nvarchar(max), in chunks. */
const LONGEST_NVARCHAR = 4000;
const MAX = 0xffff;
const NULL_NVARCHAR = uint16(0xffff);
const NULL_MAX = Buffer.alloc(8, 0xff);

/** @throws RangeError if a row's number of values is not the number of columns. */
export function resultSet({ columns, values }: ResultSet): Buffer {
  const wide = columns.map(
    ({ type }, index) =>
      type === "nvarchar" && values.some((row) => String(row[index] ?? "").length > LONGEST_NVARCHAR),
  );
  const described = columns.map(({ name, type }, index) =>
    Buffer.concat([uint32(0), uint16(NULLABLE), typeInfo(type, wide[index]!), shortText(name)]),
  );
  const rows = values.map((row) => {
    if (row.length !== columns.length)
      throw new RangeError(`a row of ${row.length} values, and ${columns.length} columns`);
    const cells = row.map((value, index) => cell(columns[index]!.type, value, wide[index]!));
    return Buffer.concat([uint8(TOKEN.row), ...cells]);
  });
  return Buffer.concat([uint8(TOKEN.columns), uint16(columns.length), ...described, ...rows]);
}

function typeInfo(type: ColumnType, wide: boolean): Buffer {
  switch (type) {
    case "int":
      return Buffer.from([TYPE.intN, 4]);
    case "bigint":
      return Buffer.from([TYPE.intN, 8]);
    case "bit":
      return Buffer.from([TYPE.bitN, 1]);
    case "nvarchar":
      return Buffer.concat([uint8(TYPE.nvarchar), uint16(wide ? MAX : 2 * LONGEST_NVARCHAR), COLLATION]);
  }
}

function cell(type: ColumnType, value: CellValue, wide: boolean): Buffer {
  if (type === "nvarchar") return wide ? maxCell(value) : textCell(value);
  if (value === null) return uint8(0);
  switch (type) {
    case "int": {
      const data = Buffer.alloc(4);
      data.writeInt32LE(Number(value));
      return Buffer.concat([uint8(4), data]);
    }
    case "bigint":
      return Buffer.concat([uint8(8), uint64(BigInt.asUintN(64, BigInt(value)))]);
    case "bit":
      return Buffer.from([1, Number(value) === 0 ? 0 : 1]);
  }
}

function textCell(value: CellValue): Buffer {
  if (value === null) return NULL_NVARCHAR;
  const data = Buffer.from(String(value), "utf16le");
  return Buffer.concat([uint16(data.length), data]);
}

/** Partially length-prefixed: the whole length, then chunks, then an empty one. */
function maxCell(value: CellValue): Buffer {
  if (value === null) return NULL_MAX;
  const data = Buffer.from(String(value), "utf16le");
  const chunk = data.length === 0 ? [] : [uint32(data.length), data];
  return Buffer.concat([uint64(BigInt(data.length)), ...chunk, uint32(0)]);
}
