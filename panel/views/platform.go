package views

// Platform is the state of the platform for co-op admins. Template platform.
type Platform struct {
	Base
	Findings []Finding // open ones
	Ended    []Finding // the last ones that are over
}

func (Platform) template() string { return "platform" }
func (Platform) area() Area       { return AreaPlatform }
