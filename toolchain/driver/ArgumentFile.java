import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The syntax of the java launcher's argument files: words, quotes, and backslash escapes inside quotes. */
final class ArgumentFile {
    private final String text;
    private int position;

    private ArgumentFile(String text) {
        this.text = text;
    }

    /** The arguments with what the files hold that they name by {@code @file}; {@code @@} is a plain {@code @}. */
    static List<String> expand(List<String> arguments) throws IOException {
        List<String> expanded = new ArrayList<>();
        for (String argument : arguments) {
            if (argument.startsWith("@@")) {
                expanded.add(argument.substring(1));
            } else if (argument.startsWith("@")) {
                expanded.addAll(words(Files.readString(Path.of(argument.substring(1)))));
            } else {
                expanded.add(argument);
            }
        }
        return expanded;
    }

    static List<String> words(String text) {
        return new ArgumentFile(text).words();
    }

    private List<String> words() {
        List<String> words = new ArrayList<>();
        while (position < text.length()) {
            char c = text.charAt(position);
            if (Character.isWhitespace(c)) {
                position++;
            } else if (c == '#') {
                comment();
            } else {
                words.add(word());
            }
        }
        return words;
    }

    private void comment() {
        int end = text.indexOf('\n', position);
        position = end < 0 ? text.length() : end;
    }

    private String word() {
        StringBuilder word = new StringBuilder();
        while (position < text.length() && !Character.isWhitespace(text.charAt(position))) {
            char c = text.charAt(position++);
            if (c == '"' || c == '\'') {
                quoted(c, word);
            } else {
                word.append(c);
            }
        }
        return word.toString();
    }

    private void quoted(char quote, StringBuilder word) {
        while (position < text.length()) {
            char c = text.charAt(position++);
            if (c == quote) {
                return;
            }
            if (c == '\\' && position < text.length()) {
                escaped(text.charAt(position++), word);
            } else {
                word.append(c);
            }
        }
    }

    private void escaped(char c, StringBuilder word) {
        switch (c) {
            case 'n' -> word.append('\n');
            case 't' -> word.append('\t');
            case 'r' -> word.append('\r');
            case 'f' -> word.append('\f');
            case '\n' -> {
                // The line goes on behind the next one's indentation
                while (position < text.length() && Character.isWhitespace(text.charAt(position))) {
                    position++;
                }
            }
            default -> word.append(c);
        }
    }
}
