\set id random(1, 10000)
SELECT id, name, balance FROM accounts WHERE id = :id;
