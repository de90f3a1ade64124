package mysql

import "chatiere/tenants/provision"

var _ provision.Records = (*Store)(nil)
