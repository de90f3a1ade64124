package tenants

// The codes of findings. A new one needs its words in panel/views/{fr,en}.json.
const (
	// FindingUnknownContainer is a container with our label that no record knows.
	FindingUnknownContainer FindingCode = "unknown-container"
	// FindingChangedByHand is a container that somebody changed and that could not be made as it was.
	FindingChangedByHand FindingCode = "changed-by-hand"
	// FindingPartChanged is a part of the platform that was changed by hand and is being put back.
	FindingPartChanged FindingCode = "part-changed"
	// FindingPartGone is a part of the platform that is being made again.
	FindingPartGone FindingCode = "part-gone"
	// FindingPartStopped is one that somebody stopped, and that waits for them to start it.
	FindingPartStopped FindingCode = "part-stopped"
	// FindingPartLoop is one that ends as soon as it is started.
	FindingPartLoop FindingCode = "part-loop"
	// FindingPartUnhealthy is one that runs and does not answer well.
	FindingPartUnhealthy FindingCode = "part-unhealthy"
	// FindingPartIll is one that a restart has not made well.
	FindingPartIll FindingCode = "part-ill"
	// FindingPartStuck is one whose repair failed.
	FindingPartStuck FindingCode = "part-stuck"
	// FindingNameTaken is a container that is none of ours, under the name of one of ours.
	FindingNameTaken FindingCode = "name-taken"
	// FindingSiteLost is a site whose data or database are gone although nobody removed them.
	FindingSiteLost FindingCode = "site-lost"
	// FindingSiteNotRepaired is a site that does not run and that a repair has not brought back.
	FindingSiteNotRepaired FindingCode = "site-not-repaired"
	// FindingSiteNotReplaced is a site that runs, but not as it was made, and that could not be put back.
	FindingSiteNotReplaced FindingCode = "site-not-replaced"
	// FindingSiteTemplate is a site whose template, or its version of it, is not in the catalogue.
	FindingSiteTemplate FindingCode = "site-template"
	// FindingSiteNameTaken is a site that cannot run because something that is none of ours bears its container's name.
	FindingSiteNameTaken FindingCode = "site-name-taken"
	// FindingSiteIll is a site that runs and does not answer well, restart or not.
	FindingSiteIll FindingCode = "site-ill"
	// FindingSiteUnknown is something that bears a site's name and that no record knows.
	FindingSiteUnknown FindingCode = "site-unknown"
	// FindingImageMissing is a container that cannot be made again because its image is gone.
	FindingImageMissing FindingCode = "image-missing"
	// FindingSiteFrozen is a site that was stopped and suspended because it was filling the disk.
	FindingSiteFrozen FindingCode = "site-frozen"
	// FindingAccessRules is a site whose files ask for access rules that its web server cannot follow.
	FindingAccessRules FindingCode = "access-rules"
	// FindingTasksFail is a site whose scheduled tasks could not be run at all, several times in a row.
	FindingTasksFail FindingCode = "tasks-fail"
	// FindingTaskFails is a scheduled task of the application that breaks each time.
	FindingTaskFails FindingCode = "task-fails"
	// FindingTaskExits is one that ends the program by itself each time, so that nobody knows whether it is done.
	FindingTaskExits FindingCode = "task-exits"
	// FindingSiteMemory is a site of which processes were killed because its memory was used up.
	FindingSiteMemory FindingCode = "site-memory"
	// FindingSiteDeaths is a site whose PHP ended without an answer for other reasons.
	FindingSiteDeaths FindingCode = "site-deaths"
	// FindingReserve is a disk on which less is free than the reserve.
	FindingReserve FindingCode = "disk-reserve"

	// FindingSpoolTraffic is counts of visits that could not be read.
	FindingSpoolTraffic FindingCode = "spool-traffic"
	// FindingSpoolMail is notes about mail, or mail, that could not be read.
	FindingSpoolMail FindingCode = "spool-mail"
	// FindingDatabaseLocked is a site that was stopped and suspended because it took the database server of all sites.
	FindingDatabaseLocked FindingCode = "database-locked"

	// FindingNoMail is that no mail leaves, since no mail server is configured.
	FindingNoMail FindingCode = "mail-none"
	// FindingMailStuck is that the co-op's mail server has not taken mail for a while.
	FindingMailStuck FindingCode = "mail-stuck"
	// FindingMailQuota is a site whose mail waits for its next hour.
	FindingMailQuota FindingCode = "mail-quota"
	// FindingMailFull is a site whose mail was not taken, because too much is waiting.
	FindingMailFull FindingCode = "mail-full"
	// FindingMailBounces is a site whose mail comes back too often.
	FindingMailBounces FindingCode = "mail-bounces"
)
