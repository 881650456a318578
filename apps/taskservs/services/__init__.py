"""The rules of taskservs, and the rows; each module holds one verb or one question."""
