//! Who this (single-threaded) process is.

use std::io;

use super::check;

/// Sets all user and group ids; drops supplementary groups where the user namespace lets it (not without root).
pub(crate) fn become_user(uid: u32, gid: u32) -> io::Result<()> {
    // SAFETY: no pointers but a null one with length 0.
    unsafe {
        let dropped = check(libc::syscall(
            libc::SYS_setgroups,
            0,
            std::ptr::null::<libc::gid_t>(),
        ));
        if let Err(error) = dropped
            && error.raw_os_error() != Some(libc::EPERM)
        {
            return Err(error);
        }
        check(libc::syscall(libc::SYS_setresgid, gid, gid, gid))?;
        check(libc::syscall(libc::SYS_setresuid, uid, uid, uid))?;
    }
    Ok(())
}

/// Sets the ids used for files only; capabilities stay when the secure bits say so.
pub(crate) fn set_file_ids(uid: u32, gid: u32) -> io::Result<()> {
    // SAFETY: plain numbers. The calls return the previous id, so success is read back by asking again.
    unsafe {
        libc::setfsgid(gid);
        libc::setfsuid(uid);
        let set = (libc::setfsuid(u32::MAX), libc::setfsgid(u32::MAX));
        if set != (uid as libc::c_int, gid as libc::c_int) {
            return Err(io::Error::from_raw_os_error(libc::EPERM));
        }
    }
    Ok(())
}

/// Takes every capability out of what an executed program could ever gain.
pub(crate) fn drop_bounding_set() -> io::Result<()> {
    for capability in 0..64 {
        // SAFETY: plain numbers.
        let dropped = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
        match check(dropped.into()) {
            Ok(_) => {}
            // Past the last capability that this kernel knows.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Empties the ambient, effective, permitted and inheritable sets.
pub(crate) fn clear_capabilities() -> io::Result<()> {
    // SAFETY: prctl takes plain numbers; capset reads two structs that live on this stack.
    unsafe {
        check(libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0).into())?;
        // _LINUX_CAPABILITY_VERSION_3, this process; two words each of effective, permitted, inheritable.
        let header: [u32; 2] = [0x2008_0522, 0];
        let none = [0u32; 6];
        check(libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()))?;
    }
    Ok(())
}
