//! stub
#![allow(missing_docs)]
use crate::model::*;
use ipnet::IpNet;
use std::cell::OnceCell;
use std::net::IpAddr;
#[derive(Debug)]
pub struct PrefixTable<V> {
    v: Vec<(IpNet, V)>,
}
pub struct Hit<'a, V> {
    pub value: Option<&'a V>,
    pub depth: u8,
}
impl<V> PrefixTable<V> {
    pub fn build(i: impl IntoIterator<Item = (IpNet, V)>) -> Self {
        PrefixTable { v: i.into_iter().collect() }
    }
    pub fn lookup(&self, a: IpAddr) -> Hit<'_, V> {
        let b = self.v.iter().filter(|(n, _)| n.contains(&a)).max_by_key(|(n, _)| n.prefix_len());
        Hit { value: b.map(|(_, v)| v), depth: b.map_or(0, |(n, _)| n.prefix_len()) }
    }
}
impl<V: Clone> PrefixTable<Box<[(u8, V)]>> {
    pub fn build_chains(i: impl Iterator<Item = (IpNet, V)>) -> Self {
        let all: Vec<_> = i.collect();
        PrefixTable {
            v: all
                .iter()
                .map(|(n, _)| {
                    let mut c: Vec<_> =
                        all.iter().filter(|(m, _)| m.contains(n)).map(|(m, v)| (m.prefix_len(), v.clone())).collect();
                    c.sort_by_key(|(l, _)| std::cmp::Reverse(*l));
                    (*n, c.into())
                })
                .collect(),
        }
    }
}
#[derive(Clone, Copy, Debug)]
pub struct Point([f64; 3]);
impl From<Coordinates> for Point {
    fn from(c: Coordinates) -> Point {
        let (a, o) = (c.latitude.to_radians(), c.longitude.to_radians());
        Point([a.cos() * o.cos(), a.cos() * o.sin(), a.sin()])
    }
}
impl Point {
    pub fn distance_km(&self, o: &Point) -> f64 {
        (0..3).map(|i| self.0[i] * o.0[i]).sum::<f64>().clamp(-1.0, 1.0).acos() * 6371.0088
    }
}
#[derive(Debug, Default)]
pub struct Place {
    pub continent: Option<Continent>,
    pub country: Option<Country>,
    pub subdivision: Option<Subdivision>,
    pub point: Option<Point>,
    pub region: Option<Region>,
    pub scope: u8,
}
#[derive(Debug, Default)]
pub struct Locator {
    n: Vec<LocationNetwork>,
}
impl Locator {
    pub fn build(n: &[LocationNetwork], _: Vec<()>, _: &[LatencyRow]) -> Self {
        Locator { n: n.to_vec() }
    }
}
pub struct Client<'w> {
    l: &'w Locator,
    a: IpAddr,
    p: u8,
    r: Option<Region>,
    c: OnceCell<Place>,
}
pub struct RoundTrips<'c> {
    pub scope: u8,
    p: &'c Place,
}
impl RoundTrips<'_> {
    pub fn ms_to(&self, r: Region) -> Option<f64> {
        self.p.point.map(|p| p.distance_km(&Point::from(r.coordinates())))
    }
}
impl<'w> Client<'w> {
    pub fn new(l: &'w Locator, a: IpAddr, p: u8) -> Self {
        Client { l, a, p, r: None, c: OnceCell::new() }
    }
    pub fn in_vpc(l: &'w Locator, a: IpAddr, r: Region) -> Self {
        Client { l, a, p: 32, r: Some(r), c: OnceCell::new() }
    }
    pub fn address(&self) -> IpAddr {
        self.a
    }
    pub fn prefix(&self) -> u8 {
        self.p
    }
    pub fn place(&self) -> &Place {
        self.c.get_or_init(|| {
            if let Some(r) = self.r {
                return Place {
                    country: Some(r.country()),
                    subdivision: r.subdivision(),
                    point: Some(r.coordinates().into()),
                    region: Some(r),
                    ..Default::default()
                };
            }
            let Some(n) = self.l.n.iter().find(|n| n.cidr.contains(&self.a)) else { return Place::default() };
            Place {
                continent: n.country.and_then(|c| match &c.0 {
                    b"US" => Some(Continent::NorthAmerica),
                    b"BR" => Some(Continent::SouthAmerica),
                    b"DE" => Some(Continent::Europe),
                    _ => None,
                }),
                country: n.country,
                subdivision: n.subdivision,
                point: n.coordinates.or(n.region.map(Region::coordinates)).map(Point::from),
                region: n.region,
                scope: n.cidr.prefix_len(),
            }
        })
    }
    pub fn round_trips(&self) -> RoundTrips<'_> {
        RoundTrips { scope: 0, p: self.place() }
    }
}
