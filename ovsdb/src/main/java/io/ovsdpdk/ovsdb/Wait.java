package io.ovsdpdk.ovsdb;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.opendaylight.ovsdb.lib.notation.Condition;
import org.opendaylight.ovsdb.lib.operations.ConditionalOperation;
import org.opendaylight.ovsdb.lib.operations.Operation;
import org.opendaylight.ovsdb.lib.schema.TableSchema;

/**
 * The operation {@code wait} of RFC 7047, section 5.2.6, which the library lacks: the transaction goes on only if the
 * rows that meet the conditions are equal, in the named columns, to the rows that are given.
 *
 * <p>Always with a timeout of 0 ms: a wait that blocks would hold the transaction back for ever behind a stalled
 * condition, and the answer is wanted now.
 */
public final class Wait<E extends TableSchema<E>> extends Operation<E> implements ConditionalOperation {

    private final List<Condition> where = new ArrayList<>();
    private final List<String> columns;
    private final List<Map<String, Object>> rows;

    /**
     * A wait without conditions yet.
     *
     * @param table the table that is looked at
     * @param columns the columns that are compared
     * @param rows what they must be, in the order-free sense of the RFC
     */
    public Wait(TableSchema<E> table, List<String> columns, List<Map<String, Object>> rows) {
        super(table, "wait");
        this.columns = List.copyOf(columns);
        this.rows = List.copyOf(rows);
    }

    @Override
    public void addCondition(Condition condition) {
        where.add(condition);
    }

    /** Which rows are looked at. */
    @JsonProperty
    public List<Condition> getWhere() {
        return where;
    }

    /** Milliseconds. */
    @JsonProperty
    public long getTimeout() {
        return 0;
    }

    /** Which columns are compared. */
    @JsonProperty
    public List<String> getColumns() {
        return columns;
    }

    /** The comparison. */
    @JsonProperty
    public String getUntil() {
        return "==";
    }

    /** What the rows must be. */
    @JsonProperty
    public List<Map<String, Object>> getRows() {
        return rows;
    }
}
