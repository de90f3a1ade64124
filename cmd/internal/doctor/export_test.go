package doctor

// Share is what the checks of disk and inodes come down to.
var Share = share
