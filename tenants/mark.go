package tenants

import "time"

// Mark says which data root records belong to and how far they have come. It is kept in the database and on the data root
// and grows before each piece of work, so that a database brought back from an older dump lags behind the data root.
type Mark struct {
	Installation string    // of the data root, for good; "" for no mark at all
	Count        int64     // grows with every operation that is taken up
	Host         string    // of the worker that wrote it, for people
	At           time.Time // UTC
}
