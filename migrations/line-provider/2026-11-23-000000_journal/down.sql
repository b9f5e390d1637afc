drop table subscription_cursors;
drop table subscriptions;
drop table changes;
drop table journal;
pragma user_version = 0;
