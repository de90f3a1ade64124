-- +goose Up
-- Operations that are live hold their subject exclusively, as they did by live_subject.
INSERT IGNORE INTO operation_holds (subject, holder, operation_id) SELECT live_subject, '', id FROM operations WHERE live_subject IS NOT NULL;

-- +goose Down
DELETE FROM operation_holds;
