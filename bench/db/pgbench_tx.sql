\set id random(1, 10000)
BEGIN;
SELECT balance FROM accounts WHERE id = :id;
UPDATE accounts SET balance = balance + 1 WHERE id = :id;
INSERT INTO entries (account, delta, note) VALUES (:id, 1, 'salary of May');
END;
