package io.ovsdpdk.kubevirt;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** Changes of a text at different places, which are made all at once. */
final class TextEdits {
    private record Edit(int start, int end, String replacement) {}

    private final List<Edit> edits = new ArrayList<>();

    void insert(int offset, String inserted) {
        replace(offset, offset, inserted);
    }

    void remove(int start, int end) {
        replace(start, end, "");
    }

    /** The places of two edits must not overlap; two insertions at one place keep their order. */
    void replace(int start, int end, String replacement) {
        edits.add(new Edit(start, end, replacement));
    }

    String applyTo(String text) {
        edits.sort(Comparator.comparingInt(Edit::start));
        StringBuilder changed = new StringBuilder(text.length() + 1024);
        int copied = 0;
        for (Edit edit : edits) {
            changed.append(text, copied, edit.start).append(edit.replacement);
            copied = edit.end;
        }
        return changed.append(text, copied, text.length()).toString();
    }
}
