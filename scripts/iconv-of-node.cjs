"use strict";
/**
 * Stands for iconv-lite in the SQL Server driver, which it makes a third smaller: code pages are read by Node itself. What
 * is read in one is ASCII here (the journal's status, a digest); text of people is nvarchar, and so is all that is written.
 */
const LABELS = { CP874: "windows-874", CP932: "shift_jis", CP936: "gbk", CP949: "euc-kr", CP950: "big5" };

exports.decode = (buffer, encoding) => {
  const label = LABELS[encoding] ?? encoding;
  try {
    return new TextDecoder(label).decode(buffer);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    // A code page that Node does not know (CP437, CP850): what is not ASCII is not guessed.
    return Buffer.from(buffer)
      .toString("latin1")
      .replace(/[^\0-\x7f]/g, "\ufffd");
  }
};
exports.encode = (_, encoding) => {
  throw new Error(`text is written as nvarchar here, not in ${encoding}`);
};
