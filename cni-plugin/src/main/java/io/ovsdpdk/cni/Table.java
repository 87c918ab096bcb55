package io.ovsdpdk.cni;

import java.util.ArrayList;
import java.util.List;

/** Text in columns. */
final class Table {
    private static final String GAP = "   ";

    private final List<List<String>> rows = new ArrayList<>();

    /** @param titles of the columns; none for a table without */
    Table(List<String> titles) {
        if (!titles.isEmpty()) {
            rows.add(titles);
        }
    }

    void add(String... cells) {
        rows.add(List.of(cells));
    }

    /** Each row a line; every column but the last is as wide as its widest cell. */
    @Override
    public String toString() {
        StringBuilder text = new StringBuilder();
        for (List<String> row : rows) {
            StringBuilder line = new StringBuilder();
            for (int column = 0; column < row.size(); column++) {
                line.append(row.get(column));
                if (column < row.size() - 1) {
                    line.repeat(' ', width(column) - row.get(column).length()).append(GAP);
                }
            }
            text.append(line.toString().stripTrailing()).append('\n');
        }
        return text.toString();
    }

    private int width(int column) {
        return rows.stream()
                .filter(row -> row.size() > column)
                .mapToInt(row -> row.get(column).length())
                .max()
                .orElse(0);
    }
}
